import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import type { RequestListener } from 'node:http'
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2'
import { createServer as createHttpsServer } from 'node:https'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KubeConfig } from '@kubernetes/client-node'

/** A request as it came over the wire. */
export type Seen = { method: string; path: string; headers: Record<string, unknown>; body: string }

export type Answer = (request: Seen, response: Http2ServerResponse, wire: Http2ServerRequest) => void

export type Wire = {
  port: number
  requests: Seen[]
  /** Connections that were opened since the start. */
  connections: () => number
  kubeConfig: (user?: Record<string, unknown>) => KubeConfig
  certificate: string
}

/** A self-signed pair for 127.0.0.1. */
export const makeCertificate = (): { key: string; certificate: string } => {
  const folder = mkdtempSync(join(tmpdir(), 'xrayiot-wire-'))
  try {
    const [key, certificate] = [join(folder, 'key'), join(folder, 'certificate')]
    execFileSync(
      'openssl',
      `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ${key} -out ${certificate} -days 2 -subj /CN=wire -addext subjectAltName=IP:127.0.0.1`.split(
        ' ',
      ),
      { stdio: 'pipe' },
    )
    return { key: readFileSync(key, 'utf8'), certificate: readFileSync(certificate, 'utf8') }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const pair = makeCertificate()

/** Says `body` as the API server would. */
export const say = (response: Http2ServerResponse, status: number, body: unknown, headers = {}): void => {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(body === undefined ? '' : JSON.stringify(body))
}

/**
 * A server that speaks HTTP/2 and HTTP/1.1 over TLS as an API server does, and answers what the test tells it to.
 * @param protocol HTTP/1.1 alone, or both
 */
export const withWire = async (
  answer: Answer,
  use: (wire: Wire) => Promise<void>,
  protocol: 'http/1.1' | 'both' = 'both',
): Promise<void> => {
  const requests: Seen[] = []
  const sockets = new Set<Socket>()
  let opened = 0
  const handle = (wire: Http2ServerRequest, response: Http2ServerResponse): void => {
    let body = ''
    wire.on('data', (chunk) => {
      body += chunk
    })
    wire.on('end', () => {
      const seen = { method: wire.method, path: wire.url, headers: wire.headers, body }
      requests.push(seen)
      answer(seen, response, wire)
    })
  }
  const options = { key: pair.key, cert: pair.certificate }
  // What both give a handler has the same shape, though not the same type.
  const server =
    protocol === 'both'
      ? createSecureServer({ ...options, allowHTTP1: true }, handle)
      : createHttpsServer(options, handle as unknown as RequestListener)
  server.on('secureConnection', (socket: Socket) => {
    opened++
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const kubeConfig = (user: Record<string, unknown> = { token: 'one' }): KubeConfig => {
    const loaded = new KubeConfig()
    loaded.loadFromOptions({
      clusters: [
        {
          name: 'wire',
          server: `https://127.0.0.1:${port}`,
          caData: Buffer.from(pair.certificate).toString('base64'),
        },
      ],
      users: [{ name: 'wire', ...user }],
      contexts: [{ name: 'wire', cluster: 'wire', user: 'wire' }],
      currentContext: 'wire',
    })
    return loaded
  }
  try {
    await use({ port, requests, connections: () => opened, kubeConfig, certificate: pair.certificate })
  } finally {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  }
}

export type Door = {
  port: number
  swallow: () => void
  silence: () => void
  cut: () => void
  restore: () => void
}

/**
 * Passes connections on to a port. `swallow` makes those that are there half open: what is sent on them vanishes.
 * `silence` does so for those to come as well. `cut` ends all, and those to come, until `restore`.
 */
export const withHalfOpen = async (port: number, use: (door: Door) => Promise<void>): Promise<void> => {
  const sockets = new Set<Socket>()
  const links: (() => void)[] = []
  let passes: 'on' | 'nowhere' | 'never' = 'on'
  const server = createServer((inner) => {
    if (passes === 'never') return void inner.destroy()
    const outer = connect(port, '127.0.0.1')
    for (const socket of [inner, outer]) {
      sockets.add(socket)
      socket.on('error', () => socket.destroy())
    }
    if (passes === 'nowhere') return
    inner.pipe(outer)
    outer.pipe(inner)
    links.push(() => {
      inner.unpipe(outer)
      outer.unpipe(inner)
      inner.resume()
      outer.resume()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const swallow = () => {
    for (const cut of links.splice(0)) cut()
  }
  const silence = () => {
    passes = 'nowhere'
    swallow()
  }
  const cut = () => {
    passes = 'never'
    for (const socket of sockets) socket.destroy()
  }
  const restore = () => {
    passes = 'on'
  }
  try {
    await use({ port: (server.address() as AddressInfo).port, swallow, silence, cut, restore })
  } finally {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  }
}
