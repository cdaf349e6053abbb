import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** Ports of the control plane and the node, which must be free before the first start. */
export const CLUSTER_PORTS = [2379, 2380, 6443, 10250, 10256, 10257, 10259, 30080, 30081, 30090, 30672] as const

/** A listening socket: its port and the inode by which its owner is found. */
export type Listener = { port: number; inode: string }

const LISTEN = '0A'

/** Reads /proc/net/tcp or tcp6. */
export const listenersOf = (table: string): Listener[] =>
  table
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[3] === LISTEN)
    .map((fields) => ({ port: Number.parseInt(fields[1]?.split(':')[1] ?? '', 16), inode: fields[9] ?? '' }))

const ownerOf = (inode: string): string => {
  for (const pid of readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name))) {
    try {
      const sockets = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`))
      if (sockets.includes(`socket:[${inode}]`))
        return `${readFileSync(`/proc/${pid}/comm`, 'utf8').trim()} (pid ${pid})`
    } catch {
      // it ended meanwhile, or is another user's
    }
  }
  return 'a process that cannot be seen'
}

/** @throws Error that names each port that is taken and who has it */
export const assertPortsFree = (ports: readonly number[]): void => {
  const listeners = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((file) => listenersOf(readFileSync(file, 'utf8')))
  const taken = ports.flatMap((port) => {
    const listener = listeners.find((candidate) => candidate.port === port)
    return listener === undefined ? [] : [`port ${port} is taken by ${ownerOf(listener.inode)}`]
  })
  if (taken.length > 0)
    throw new Error(
      `the local cluster needs these ports: ${taken.join('; ')}. End what has them and run "npm start" again.`,
    )
}
