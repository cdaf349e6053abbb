import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { eventually } from '../e2e/cluster.ts'

/** A port that was free just now. */
export const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  return port
}

/** A service that runs on this machine, from the same sources as in a pod. */
export type ServiceProcess = {
  pid: number
  /** Where it takes requests. */
  url: string
  metrics: () => Promise<string>
  /** What it logged, line by line. */
  log: () => Record<string, unknown>[]
  /** Ends it by SIGTERM. @returns its exit code */
  stop: () => Promise<number>
}

/**
 * Starts a service and waits until it is ready.
 * @param env everything but its ports
 * @throws Error with the end of its log when it is not ready in 30 s
 */
export const startService = async (
  component: 'producer' | 'signals' | 'api',
  env: Record<string, string>,
): Promise<ServiceProcess> => {
  const [httpPort, metricsPort] = [await freePort(), await freePort()]
  const child = spawn(process.execPath, [`services/${component}/main.ts`], {
    env: { PATH: process.env.PATH, ...env, HTTP_PORT: String(httpPort), METRICS_PORT: String(metricsPort) },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  const ended = once(child, 'exit')
  const probe = (path: string) => fetch(`http://127.0.0.1:${metricsPort}${path}`)
  const stop = async (): Promise<number> => {
    child.kill('SIGTERM')
    const [code] = await ended
    return Number(code)
  }
  await eventually(`${component} to be ready`, 30, async () => ((await probe('/readyz')).ok ? true : undefined)).catch(
    async (error: Error) => {
      await stop()
      throw new Error(`${error.message}; its log ends: ${output.slice(-1000)}`)
    },
  )
  return {
    pid: child.pid ?? 0,
    url: `http://127.0.0.1:${httpPort}`,
    metrics: async () => (await probe('/metrics')).text(),
    log: () =>
      output
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line)),
    stop,
  }
}
