import { spawn } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { LOGS, RUN } from './paths.ts'
import { until } from './progress.ts'

/** A process of the cluster. It outlives the command that started it. */
export type ProcessSpec = {
  name: string
  command: string
  args: string[]
  env?: Record<string, string>
  cwd?: string
  /** True once it serves; asked until then. */
  ready: () => Promise<boolean>
}

type Identity = { pid: number; startedTicks: string }

const identityFile = (name: string): string => join(RUN, 'pids', `${name}.json`)

/** The start time in /proc/PID/stat tells a process from a later one that was given the same pid. */
export const startTicksOf = (stat: string): string | undefined =>
  // The command's name stands in parentheses and may hold anything; the 22nd field is counted behind it.
  stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]

const ticksOf = (pid: number): string | undefined => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.includes(') Z ') ? undefined : startTicksOf(stat)
  } catch {
    return undefined
  }
}

const running = (name: string): Identity | undefined => {
  if (!existsSync(identityFile(name))) return undefined
  const identity: Identity = JSON.parse(readFileSync(identityFile(name), 'utf8'))
  return ticksOf(identity.pid) === identity.startedTicks ? identity : undefined
}

const lastLines = (name: string): string =>
  readFileSync(join(LOGS, `${name}.log`), 'utf8')
    .trimEnd()
    .split('\n')
    .slice(-8)
    .join('\n')

/** The names of the processes that run now. */
export const runningProcesses = (): string[] =>
  existsSync(join(RUN, 'pids'))
    ? readdirSync(join(RUN, 'pids'))
        .map((file) => file.replace(/\.json$/, ''))
        .filter((name) => running(name) !== undefined)
    : []

/**
 * Starts the process unless it runs, and waits until it is ready.
 * @throws Error with the last lines of its log when it ends or is not ready in time
 */
export const ensureProcess = async (spec: ProcessSpec): Promise<'started' | 'running'> => {
  let identity = running(spec.name)
  const outcome = identity === undefined ? 'started' : 'running'
  if (identity === undefined) {
    mkdirSync(LOGS, { recursive: true })
    mkdirSync(join(RUN, 'pids'), { recursive: true })
    const log = openSync(join(LOGS, `${spec.name}.log`), 'w')
    const child = spawn(spec.command, spec.args, {
      detached: true,
      stdio: ['ignore', log, log],
      cwd: spec.cwd ?? '/',
      env: { ...process.env, ...spec.env },
    })
    child.on('error', () => undefined) // told below: it has no pid
    closeSync(log)
    child.unref()
    const startedTicks = child.pid === undefined ? undefined : ticksOf(child.pid)
    if (child.pid === undefined || startedTicks === undefined) throw new Error(`${spec.command} could not be started`)
    identity = { pid: child.pid, startedTicks }
    writeFileSync(identityFile(spec.name), JSON.stringify(identity))
  }
  await until(`${spec.name} to be ready (log: ${LOGS}/${spec.name}.log)`, 90, async () => {
    if (running(spec.name) === undefined) return 'ended'
    return (await spec.ready()) ? 'ready' : undefined
  }).then((state) => {
    if (state === 'ended') throw new Error(`${spec.name} ended at once:\n${lastLines(spec.name)}`)
  })
  return outcome
}

const signalled = (identity: Identity, signal: NodeJS.Signals): void => {
  try {
    process.kill(identity.pid, signal)
  } catch {
    // it has ended meanwhile
  }
}

/** Ends a process that we started, by pid and start time: SIGTERM, then SIGKILL. */
export const endProcess = async (name: string, graceSeconds: number): Promise<void> => {
  const identity = running(name)
  if (identity !== undefined) {
    signalled(identity, 'SIGTERM')
    const ended = async () => (running(name) === undefined ? true : undefined)
    await until(`${name} to end`, graceSeconds, ended).catch(() => signalled(identity, 'SIGKILL'))
    await until(`${name} to be killed`, 10, ended)
  }
  rmSync(identityFile(name), { force: true })
}
