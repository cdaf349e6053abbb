import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What an API server answers to a request: an object as JSON, a status with its message, or whatever a function writes. */
export type Answer = object | { status: number; message: string } | ((response: ServerResponse) => void)

const isRefusal = (answer: Answer): answer is { status: number; message: string } =>
  'message' in answer && 'status' in answer && typeof answer.status === 'number'

/**
 * An API server that gives each request its next planned answer, the last one again and again, and refuses what is not
 * planned with a status that no caller takes for an answer.
 * @param planned by `METHOD /path`, the query left out
 */
export const fakeKubeApi = async (planned: Record<string, Answer[]>) => {
  const seen: { request: string; query: URLSearchParams; body: unknown }[] = []
  const server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://api')
    const text = Buffer.concat(await request.toArray()).toString()
    const name = `${request.method} ${pathname}`
    seen.push({ request: name, query: searchParams, body: text === '' ? undefined : JSON.parse(text) })
    const answers = planned[name]
    const answer = answers !== undefined && answers.length > 1 ? answers.shift() : answers?.[0]
    if (typeof answer === 'function') return answer(response)
    const given = answer ?? { status: 418, message: `${name} is not planned` }
    response.writeHead(isRefusal(given) ? given.status : 200, { 'content-type': 'application/json' })
    response.end(JSON.stringify(given))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url,
    seen,
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

/** A collection as the API server hands it out. */
export const collection = (items: object[]) => ({ metadata: { resourceVersion: '7' }, items })
