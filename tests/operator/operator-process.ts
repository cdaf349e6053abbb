import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { CHECKOUT } from '../../k8s/local/paths.ts'
import { must } from '../stand/condition.ts'
import { freePort } from '../stand/service-process.ts'

/** A running operator, from this checkout. */
export type Operator = {
  pid: number
  log: () => string[]
  /** Its metrics, as text. */
  metrics: () => Promise<string>
  running: () => boolean
  /** Resolves with the exit code, or the signal's name. */
  ended: Promise<number | NodeJS.Signals>
  isLeader: () => Promise<boolean>
  /** Waits until it leads. @throws Error with the end of its log when it ends or, a minute later, does not; then it is killed */
  leads: () => Promise<void>
  /** Waits until its caches are filled, leading or not. @throws Error as `leads` does */
  serves: () => Promise<void>
  kill: () => Promise<void>
  /** Ends it by SIGTERM. */
  stop: () => Promise<void>
}

const START_LIMIT_MS = 60_000
const STOP_LIMIT_MS = 20_000

/** @param env all of its environment, but for the port of its metrics */
export const startOperator = async (env: Record<string, string>): Promise<Operator> => {
  const port = await freePort()
  const child = spawn(process.execPath, ['operator/main.ts'], {
    cwd: CHECKOUT,
    env: {
      PATH: process.env.PATH,
      NODE_COMPILE_CACHE: join(tmpdir(), 'xrayiot-compile-cache'),
      ...env,
      METRICS_PORT: String(port),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const lines: string[] = []
  for (const stream of [child.stdout, child.stderr])
    createInterface({ input: stream }).on('line', (line) => lines.push(line))
  const ended = once(child, 'close').then(([code, signal]) => (signal ?? code) as number | NodeJS.Signals)
  const orphaned = () => child.kill('SIGKILL')
  process.once('exit', orphaned)
  void ended.then(() => process.removeListener('exit', orphaned))
  const { pid } = child
  if (pid === undefined) throw new Error('the operator could not be started')
  const probe = (path: string) => fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(2_000) })
  const metrics = async () => (await probe('/metrics')).text()
  const isLeader = () =>
    metrics().then(
      (text) => /leader_election_master_status\{[^}]*\} 1/.test(text),
      () => false,
    )
  const running = () => child.exitCode === null && child.signalCode === null
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL')
    await ended
  }
  const comes = async (what: string, holds: () => Promise<boolean>): Promise<void> => {
    const state = await must(`the operator to ${what}`, START_LIMIT_MS, async () => {
      if (!running()) return 'ended'
      return (await holds()) ? 'holds' : undefined
    }).catch((error: Error) => error.message)
    if (state === 'holds') return
    await kill()
    throw new Error(`the operator does not ${what} (${state}); its log ends: ${lines.slice(-5).join('\n')}`)
  }
  return {
    pid,
    log: () => lines,
    metrics,
    running,
    ended,
    isLeader,
    leads: () => comes('lead', isLeader),
    serves: () =>
      comes('be ready', () =>
        probe('/readyz').then(
          ({ ok }) => ok,
          () => false,
        ),
      ),
    kill,
    stop: async () => {
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS)
      await ended.finally(() => clearTimeout(timer))
    },
  }
}
