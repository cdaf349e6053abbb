import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { run, succeeds } from './command.ts'
import { removeNetwork } from './network.ts'
import { ctr } from './node.ts'
import { CACHE, CHECKOUT, CONTAINERD_SOCKET, RUN, STATE } from './paths.ts'
import { endProcess, runningProcesses } from './processes.ts'
import { runSteps, type Step, until } from './progress.ts'

/** The reverse of the order in which they were started: nothing restarts what has just been ended. */
const ORDER = [
  'fleet',
  'keda-adapter',
  'keda-operator',
  'kube-scheduler',
  'kube-controller-manager',
  'kubelet',
  'local-path-provisioner',
  'kube-proxy',
]
const LAST = ['containerd', 'kube-apiserver', 'etcd']

const end = async (names: string[]): Promise<string> => {
  const running = runningProcesses()
  for (const name of names) await endProcess(name, 15)
  return `${names.filter((name) => running.includes(name)).length} ended`
}

/** Kills every container of ours and waits until it is gone; the databases' volumes stay. */
const endContainers = async (): Promise<string> => {
  if (!runningProcesses().includes('containerd')) return 'no runtime runs'
  const tasks = async () => (await ctr('tasks', 'ls', '-q')).split('\n').filter((id) => id !== '')
  const ids = await tasks()
  // SIGTERM first, so that RabbitMQ, PostgreSQL and Redis close their files.
  for (const id of ids) await ctr('tasks', 'kill', '--signal', 'SIGTERM', id).catch(() => undefined)
  await until('containers to end', 20, async () => ((await tasks()).length === 0 ? true : undefined)).catch(
    () => undefined,
  )
  for (const id of await tasks()) await ctr('tasks', 'delete', '--force', id).catch(() => undefined)
  const containers = (await ctr('containers', 'ls', '-q')).split('\n').filter((id) => id !== '')
  for (const id of containers) await ctr('containers', 'delete', id).catch(() => undefined)
  return `${ids.length} ended`
}

const mountsBelow = (...folders: string[]): string[] =>
  readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((point) => folders.some((folder) => point === folder || point.startsWith(`${folder}/`)))
    .reverse() // what was mounted last lies on top

/** A container that was killed hard leaves its shim behind: ours are known by the runtime's socket in their arguments. */
const endShims = async (): Promise<string> => {
  const shims = readdirSync('/proc')
    .filter((name) => /^[0-9]+$/.test(name))
    .filter((pid) => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
        return words[0]?.endsWith('/containerd-shim-runc-v2') && words.includes(CONTAINERD_SOCKET)
      } catch {
        return false // it has ended meanwhile
      }
    })
  for (const pid of shims) process.kill(Number(pid), 'SIGKILL')
  return `${shims.length} ended`
}

const unmount = async (): Promise<string> => {
  const points = mountsBelow(STATE, RUN, join(CACHE, 'buildah'))
  for (const point of points) await succeeds('umount', ['--lazy', point])
  const spaces = (await run('ip', ['netns', 'list'])).split('\n').map((line) => line.split(' ')[0] ?? '')
  for (const space of spaces.filter((name) => name.startsWith('cni-'))) await succeeds('ip', ['netns', 'delete', space])
  return `${points.length} mounts`
}

/** Empty groups only can be removed, and only ours are: kubelet keeps all pods below `kubepods`. */
const removeControlGroups = async (): Promise<string> => {
  const removeTree = (folder: string): void => {
    for (const entry of readdirSync(folder, { withFileTypes: true }))
      if (entry.isDirectory()) removeTree(join(folder, entry.name))
    rmdirSync(folder)
  }
  const roots = ['/sys/fs/cgroup', ...readdirSync('/sys/fs/cgroup').map((name) => join('/sys/fs/cgroup', name))]
  const groups = [...new Set(roots.map((root) => join(root, 'kubepods')))].filter(existsSync)
  for (const group of groups)
    await until(`${group} to be empty`, 10, async () => {
      removeTree(group)
      return true
    })
  return `${groups.length} removed`
}

const removeRunFiles = async (): Promise<string> => {
  rmSync(RUN, { recursive: true, force: true })
  return RUN
}

const mine = !existsSync(join(RUN, 'checkout')) || readFileSync(join(RUN, 'checkout'), 'utf8') === CHECKOUT
const steps: Step[] = [
  { title: 'End the fleet, the controllers and the node', run: () => end(ORDER) },
  { title: 'End containers', run: endContainers },
  { title: 'End the runtime and the control plane', run: () => end(LAST) },
  { title: 'End what containers left', run: endShims },
  { title: 'Unmount', run: unmount },
  { title: 'Remove control groups', run: removeControlGroups },
  { title: 'Remove network and rules', run: removeNetwork },
  { title: 'Remove run files', run: removeRunFiles },
]
const purge: Step = {
  title: 'Remove data and cache',
  run: async () => {
    for (const folder of [STATE, CACHE]) rmSync(folder, { recursive: true, force: true })
    return `${STATE}, ${CACHE}`
  },
}

try {
  if (!mine)
    throw new Error(
      `the local cluster of another checkout runs here: run "npm stop" in ${readFileSync(join(RUN, 'checkout'), 'utf8')}`,
    )
  await runSteps(process.argv.includes('--purge') ? [...steps, purge] : steps, console.log)
} catch (error) {
  console.error(`\nnpm stop stopped: ${(error as Error).message}`)
  process.exitCode = 1
}
