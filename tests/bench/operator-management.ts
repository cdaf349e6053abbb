import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What a virtual host holds, as the management API names its collections. */
type Vhost = Record<'exchanges' | 'queues' | 'bindings' | 'policies', Map<string, object>>

const emptyVhost = (): Vhost => ({ exchanges: new Map(), queues: new Map(), bindings: new Map(), policies: new Map() })

const isCollection = (name: string): name is keyof Vhost => name in emptyVhost()

export type Management = {
  uri: string
  /** Requests so far, by the first word of the user agent. */
  asked: () => Record<string, number>
  close: () => Promise<void>
}

/**
 * A management API that keeps what is declared in memory. Only for counting and timing an operator: 10,000 pipelines
 * are 80,000 quorum queues, many times what a RabbitMQ on this machine holds. What the operator does on a real broker
 * is tested on one.
 */
export const openManagement = async (): Promise<Management> => {
  const vhosts = new Map<string, Vhost>()
  const asked = new Map<string, number>()
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://localhost')
    const [, , collection = '', name = '', ...rest] = url.pathname.split('/').map(decodeURIComponent)
    const vhost = vhosts.get(name) ?? emptyVhost()
    vhosts.set(name, vhost)
    const agent = (request.headers['user-agent'] ?? 'no agent').split(/[/ ]/, 1)[0] ?? ''
    asked.set(agent, (asked.get(agent) ?? 0) + 1)
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      if (!isCollection(collection)) return response.writeHead(404).end('{}')
      const objects = vhost[collection]
      const body = chunks.length > 0 ? (JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>) : {}
      if (request.method === 'GET' && rest.length > 0) {
        const object = [...objects].find(([key]) => key.startsWith(`${rest.join('/')} `))?.[1]
        return response
          .writeHead(object === undefined ? 404 : 200, { 'content-type': 'application/json' })
          .end(JSON.stringify(object ?? {}))
      }
      if (request.method === 'GET') {
        const rows = [...objects.values()]
        const page = { items: rows, page_count: 1, item_count: rows.length }
        return response
          .writeHead(200, { 'content-type': 'application/json' })
          .end(JSON.stringify(url.searchParams.has('page') ? page : rows))
      }
      const key = `${rest.join('/')} ${String(body.routing_key ?? '')}`
      if (request.method === 'DELETE') return response.writeHead(objects.delete(key) ? 204 : 404).end()
      const [, source, , destination] = rest
      const row =
        collection === 'bindings'
          ? { source, destination, routing_key: body.routing_key, destination_type: 'queue' }
          : { messages: 0, messages_ready: 0, messages_unacknowledged: 0, ...body, name: rest[0] }
      const status = objects.has(key) ? 204 : 201
      objects.set(key, row)
      return response.writeHead(status).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    uri: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: () => Object.fromEntries(asked),
    close: () => {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}
