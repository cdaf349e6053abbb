import { readFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2'
import { Agent, request as ask } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type Asked, askedFor } from './asked.ts'
import { createWatchLines, type Manner } from './watch-lines.ts'

/** What is done to one request, in place of its answer. */
export type Victim = {
  asked: Asked
  /** Answers as an API server refuses. */
  answer: (status: number, reason: string, retryAfterSeconds?: number) => void
  /** Answers with success, and half of what should follow. */
  answerHalf: () => void
  /** Cuts the whole connection. */
  reset: () => void
  /** Answers, after all, what the API server did. */
  pass: () => void
}

/** A fault: which requests it befalls, how many of them, before or after the API server has done what is asked. */
export type Fault = {
  when: 'before' | 'applied'
  matches: (asked: Asked) => boolean
  /** The first so many that match; all when left out. */
  times?: number
  act: (victim: Victim) => void | Promise<void>
}

export type FaultProxy = {
  /** `https://127.0.0.1:PORT`, with the certificate of the API server behind it. */
  server: string
  port: number
  /** Every request so far, in order. */
  asked: () => readonly Asked[]
  /** The requests that change something, but for leases and events, which come as they like. */
  writes: () => readonly Asked[]
  /** Adds a fault. @returns how often it befell a request so far */
  inject: (fault: Fault) => () => number
  /** Removes every fault. */
  heal: () => void
  /** What becomes of the lines of watches of a resource, from now on; `pass` lets go what was held. */
  lines: (resource: string, manner: Manner) => void
  /**
   * Lists answer with what stood at a version, and watches say nothing: an API server that lags behind. Writes reach
   * the real one. Undefined: watches end, and whoever comes again sees everything.
   */
  staleAt: (resourceVersion: string | undefined) => void
  close: () => Promise<void>
}

const refusal = (status: number, reason: string): string =>
  JSON.stringify({
    kind: 'Status',
    apiVersion: 'v1',
    status: 'Failure',
    message: `injected: ${reason}`,
    reason,
    code: status,
  })

/** Header fields of one connection, which HTTP/2 has not. */
const HOP_BY_HOP = ['connection', 'keep-alive', 'transfer-encoding', 'host', 'http2-settings', 'upgrade']

const passedOn = (headers: NodeJS.Dict<string | string[]>): NodeJS.Dict<string | string[]> =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith(':') && !HOP_BY_HOP.includes(name)))

const bodyOf = async (stream: AsyncIterable<Buffer>): Promise<Buffer> => {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/**
 * An HTTPS proxy between an operator and a real API server, over HTTP/2 or HTTP/1.1, as the operator asks. It records
 * what passes and does to it what a test wants.
 * @param folder with the certificates of the API server
 */
export const openFaultProxy = async (server: string, folder: string): Promise<FaultProxy> => {
  const file = (name: string) => readFileSync(join(folder, name))
  const agent = new Agent({ keepAlive: true, ca: file('ca.crt') })
  const upstream = new URL(server)
  const all: Asked[] = []
  let faults: (Fault & { befell: number })[] = []
  const watches = createWatchLines()
  let staleVersion: string | undefined
  const silent = new Set<Http2ServerResponse>()

  const forward = (request: Http2ServerRequest, path: string, body: Buffer, signal: AbortSignal) =>
    new Promise<IncomingMessage>((resolve, reject) => {
      const headers = passedOn(request.headers)
      const options = {
        host: upstream.hostname,
        port: upstream.port,
        agent,
        method: request.method,
        path,
        headers,
        signal,
      }
      ask(options, resolve).on('error', reject).end(body)
    })

  /** The fault that befalls a request now. */
  const faultFor = (asked: Asked, when: Fault['when']): Fault | undefined => {
    const fault = faults.find(
      ({ times = Number.POSITIVE_INFINITY, befell, ...candidate }) =>
        candidate.when === when && befell < times && candidate.matches(asked),
    )
    if (fault !== undefined) fault.befell++
    return fault
  }

  const serve = async (request: Http2ServerRequest, response: Http2ServerResponse): Promise<void> => {
    const gone = new AbortController()
    response.on('close', () => gone.abort())
    const asked: Asked = { ...askedFor(request.method, request.url), ordinal: all.length, status: undefined }
    all.push(asked)
    const body = await bodyOf(request)
    const head = (status: number, headers: NodeJS.Dict<string | string[]>): void => {
      asked.status = status
      if (!response.headersSent && !gone.signal.aborted) response.writeHead(status, passedOn(headers))
    }
    const reset = () => (request.httpVersionMajor === 2 ? request.stream.session?.destroy() : request.socket.destroy())
    const victimWith = (text: string, pass: () => void): Victim => ({
      asked,
      answer: (status, reason, retryAfterSeconds) => {
        const retryAfter = retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }
        head(status, { 'content-type': 'application/json', ...retryAfter })
        response.end(refusal(status, reason))
      },
      answerHalf: () => {
        head(200, { 'content-type': 'application/json' })
        response.end(text.slice(0, text.length / 2))
      },
      reset,
      pass,
    })

    const before = faultFor(asked, 'before')
    if (before !== undefined) return void (await before.act(victimWith('', reset)))
    if (staleVersion !== undefined && asked.kind === 'watch') {
      silent.add(response)
      response.on('close', () => silent.delete(response))
      return head(200, { 'content-type': 'application/json' })
    }
    const path = staleVersion !== undefined && asked.kind === 'list' ? asOf(request.url, staleVersion) : request.url
    const answer = await forward(request, path, body, gone.signal)
    if (asked.kind === 'watch' && answer.statusCode === 200) {
      head(200, answer.headers)
      return watches.relay(asked.resource, answer, response)
    }
    const text = await bodyOf(answer)
    const pass = (): void => {
      head(answer.statusCode ?? 502, answer.headers)
      response.end(text)
    }
    const applied = faultFor(asked, 'applied')
    if (applied === undefined) return pass()
    asked.status = answer.statusCode
    await applied.act(victimWith(text.toString(), pass))
  }

  const proxy = createSecureServer(
    { allowHTTP1: true, cert: file('apiserver.crt'), key: file('apiserver.key') },
    (request, response) =>
      void serve(request, response).catch(() => {
        // The API server is away, or the operator no longer wants the answer.
        response.destroy()
      }),
  )
  const sockets = new Set<{ destroy: () => void }>()
  proxy.on('secureConnection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket)).on('error', () => undefined)
  })
  proxy.on('sessionError', () => undefined) // a connection that we cut ourselves
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  const { port } = proxy.address() as AddressInfo
  return {
    server: `https://127.0.0.1:${port}`,
    port,
    asked: () => all,
    writes: () =>
      all.filter(({ kind, resource }) => kind === 'write' && resource !== 'leases' && resource !== 'events'),
    inject: (fault) => {
      const injected = { ...fault, befell: 0 }
      faults.push(injected)
      return () => injected.befell
    },
    heal: () => {
      faults = []
    },
    lines: watches.set,
    staleAt: (resourceVersion) => {
      staleVersion = resourceVersion
      if (resourceVersion !== undefined) return watches.silence()
      watches.end()
      for (const response of silent) response.end()
    },
    close: async () => {
      agent.destroy()
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => proxy.close(resolve))
    },
  }
}

/** The same list as it stood at a version. */
const asOf = (url: string, resourceVersion: string): string => {
  const [path = '', search = ''] = url.split('?')
  const query = new URLSearchParams(search)
  // A page after the first goes on with the version of the first.
  if (!query.has('continue')) {
    query.set('resourceVersion', resourceVersion)
    query.set('resourceVersionMatch', 'Exact')
  }
  return `${path}?${query}`
}
