import { createServer, type Server } from 'node:http'
import type { Metrics } from './metrics.ts'

/** What a process needs to serve: each check by name, with undefined when it holds or with what is wrong. */
export type Checks = Record<string, () => string | undefined>

/**
 * Serves `/livez`, which never looks at a dependency, `/readyz[?verbose]`, which does, and `/metrics`.
 * @param more further paths, each answered with 200, or with 503 and what is missing
 * @returns the server once it listens
 */
export const serveProbes = (port: number, registry: Metrics, checks: Checks, more: Checks = {}): Promise<Server> => {
  const server = createServer(async (request, response) => {
    const [path] = (request.url ?? '/').split('?')
    if (path === '/livez') return void response.end('ok\n')
    if (path === '/metrics') {
      response.setHeader('content-type', registry.contentType)
      return void response.end(await registry.metrics())
    }
    const other = more[path ?? '']
    if (other !== undefined) {
      const missing = other()
      return void response.writeHead(missing === undefined ? 200 : 503).end(`${missing ?? 'ok'}\n`)
    }
    if (path !== '/readyz') return void response.writeHead(404).end('not found: /livez, /readyz, /metrics\n')
    const states = Object.entries(checks).map(([name, check]) => [name, check()] as const)
    const ready = states.every(([, problem]) => problem === undefined)
    const lines = states.map(
      ([name, problem]) =>
        `[${problem === undefined ? '+' : '-'}] ${name}${problem === undefined ? '' : `: ${problem}`}`,
    )
    response.writeHead(ready ? 200 : 503).end(`${[...lines, ready ? 'ready' : 'not ready'].join('\n')}\n`)
  })
  return listen(server, port)
}

/** Resolves with the server once it listens. */
export const listen = (server: Server, port: number): Promise<Server> =>
  new Promise((resolve, reject) => server.once('error', reject).listen(port, () => resolve(server)))

/** Stops a server: no new connection, idle ones closed, the others finish. */
export const closeServer = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve())
    server.closeIdleConnections()
  })
