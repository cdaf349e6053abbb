import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { CHECKOUT } from '../../k8s/local/paths.ts'
import type { Component } from '../../operator/decide/pipeline.ts'
import { must } from './condition.ts'

export type { Component }

/** A service that runs on this machine, from the same sources as in a pod. */
export type Process = {
  component: Component
  pid: number
  httpPort: number
  /** Where it takes requests. */
  url: string
  metricsPort: number
  running: () => boolean
  /** Resolves with the exit code, or the signal's name. */
  ended: Promise<number | NodeJS.Signals>
  /** @throws Error with the end of its log when it is not ready in 90 s */
  ready: () => Promise<void>
  isReady: () => Promise<boolean>
  /** Its metrics, as text. */
  metrics: () => Promise<string>
  /** The sum of a metric's samples that carry all of these labels. */
  metric: (name: string, labels?: Record<string, string>) => Promise<number>
  /** The log's last lines. */
  log: () => string[]
  kill: () => Promise<void>
  /** Ends it by SIGTERM. */
  stop: () => Promise<number | NodeJS.Signals>
}

/** A port that was free just now. */
export const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  return port
}

const READY_LIMIT_MS = 90_000
const STOP_LIMIT_MS = 25_000

const sumOf = (text: string, name: string, labels: Record<string, string>): number =>
  text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .filter((line) => Object.entries(labels).every(([label, value]) => line.includes(`${label}="${value}"`)))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)

/**
 * What the image gives its processes in a pod of 256 MiB (Dockerfile). On a machine with more memory V8 would let its
 * young generation grow to 134 MB, which looks like a leak.
 */
const IMAGE = { MALLOC_ARENA_MAX: '2', NODE_OPTIONS: '--max-semi-space-size=4 --max-old-space-size=128' }

/** Starts a service; its environment is complete but for its ports and what the image gives. */
export const startProcess = async (component: Component, env: Record<string, string>): Promise<Process> => {
  const [httpPort, metricsPort] = [await freePort(), await freePort()]
  const child = spawn(process.execPath, [`services/${component}/main.ts`], {
    cwd: CHECKOUT,
    env: {
      PATH: process.env.PATH,
      NODE_COMPILE_CACHE: join(tmpdir(), 'xrayiot-compile-cache'),
      ...IMAGE,
      ...env,
      NODE_OPTIONS: `${IMAGE.NODE_OPTIONS} ${env.NODE_OPTIONS ?? ''}`,
      HTTP_PORT: String(httpPort),
      METRICS_PORT: String(metricsPort),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output: string[] = []
  for (const stream of [child.stdout, child.stderr])
    createInterface({ input: stream }).on('line', (line) => {
      output.push(line)
      if (output.length > 2000) output.splice(0, 1000)
    })
  // Not its exit: its last lines may come after that.
  const ended = once(child, 'close').then(([code, signal]) => (signal ?? code) as number | NodeJS.Signals)
  const pid = child.pid
  if (pid === undefined) throw new Error(`${component} could not be started`)
  const running = () => child.exitCode === null && child.signalCode === null
  const probe = (path: string) => fetch(`http://127.0.0.1:${metricsPort}${path}`, { signal: AbortSignal.timeout(2000) })
  const metrics = async () => (await probe('/metrics')).text()
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL')
    await ended
  }
  return {
    component,
    pid,
    httpPort,
    url: `http://127.0.0.1:${httpPort}`,
    metricsPort,
    running,
    ended,
    ready: () =>
      must(`${component} to be ready`, READY_LIMIT_MS, async () =>
        (await probe('/readyz')).ok ? true : undefined,
      ).then(
        () => undefined,
        (error: Error) => {
          throw new Error(`${error.message}; its log ends: ${output.slice(-3).join(' ')}`)
        },
      ),
    isReady: () =>
      probe('/readyz').then(
        ({ ok }) => ok,
        () => false,
      ),
    metrics,
    metric: async (name, labels = {}) => sumOf(await metrics(), name, labels),
    log: () => output,
    kill,
    stop: async () => {
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS)
      return ended.finally(() => clearTimeout(timer))
    },
  }
}
