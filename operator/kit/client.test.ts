import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { Http2ServerResponse } from 'node:http2'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { type Answer, makeCertificate, say, type Wire, withHalfOpen, withWire } from '../../tests/stand/wire.ts'
import { type Client, createClient, METADATA_ONLY } from './client.ts'
import { withDeadline } from './deadline.ts'

type Told = { requests: string[]; retries: string[] }

/** A client of a server that answers so. */
const withClient = (
  answer: Answer,
  use: (client: Client, wire: Wire, told: Told) => Promise<void>,
  user?: Record<string, unknown>,
  protocol?: 'http/1.1',
): Promise<void> => {
  const open = async (wire: Wire): Promise<void> => {
    const told: Told = { requests: [], retries: [] }
    const metrics = {
      answered: (method: string, code: string) => told.requests.push(`${method} ${code}`),
      retried: (method: string, code: string) => told.retries.push(`${method} ${code}`),
    }
    const client = createClient(wire.kubeConfig(user), { userAgent: 'kit-test', metrics })
    try {
      await use(client, wire, told)
    } finally {
      await client.close()
    }
  }
  return withWire(answer, open, protocol)
}

const get = { method: 'GET', path: '/api/v1/pods' } as const

it('three hundred requests at once go over one connection', () =>
  withClient(
    (_, response) => say(response, 200, { kind: 'PodList' }),
    async (client, wire) => {
      await Promise.all(Array.from({ length: 300 }, () => client.request(get)))
      expect([wire.requests.length, wire.connections()]).toEqual([300, 1])
    },
  ))

it('nothing waits behind a watch, where a server speaks HTTP/1.1 only, too', () =>
  withClient(
    (seen, response) => {
      if (seen.path.includes('watch')) response.writeHead(200).write('\n')
      else say(response, 200, {})
    },
    async (client) => {
      const stopping = new AbortController()
      const watch = client.watch({ path: '/a', idleMs: 60_000, signal: stopping.signal }).next()
      for (const _ of [1, 2, 3]) await client.request({ ...get, limitMs: 2_000 })
      stopping.abort()
      await expect(watch).rejects.toThrow('aborted')
    },
    undefined,
    'http/1.1',
  ))

it('sends who it is, and what it wants', () =>
  withClient(
    (_, response) => say(response, 200, {}),
    async (client, wire) => {
      await client.request({ ...get, query: { labelSelector: 'a=b' } })
      await client.request({ ...get, accept: METADATA_ONLY })
      expect(wire.requests[0]).toMatchObject({
        path: '/api/v1/pods?labelSelector=a%3Db',
        headers: { authorization: 'Bearer one', 'user-agent': 'kit-test', accept: 'application/json' },
      })
      expect(wire.requests[1]?.headers.accept).toContain('as=PartialObjectMetadata;g=meta.k8s.io;v=v1')
    },
  ))

it('an answer without a body is none', () =>
  withClient(
    (_, response) => say(response, 200, undefined),
    async (client) => expect(await client.request({ method: 'DELETE', path: '/a' })).toBeUndefined(),
  ))

it.each([
  ['a Status', (response: Http2ServerResponse) => say(response, 404, { reason: 'NotFound', message: 'no a' }), 'no a'],
  ["a proxy's page", (response: Http2ServerResponse) => response.writeHead(404).end('<h1>404'), '<h1>404'],
  ['nothing', (response: Http2ServerResponse) => response.writeHead(404).end(), 'the API server answered 404'],
])('an error that is %s is told as it came', (_, answer, message) =>
  withClient(
    (_, response) => void answer(response),
    async (client) => expect(client.request(get)).rejects.toMatchObject({ status: 404, message }),
  ),
)

it('a request that the server puts off is sent again when it says, and both are counted', () => {
  const answers = [429, 503, 200]
  return withClient(
    (_, response) => say(response, answers.shift() ?? 0, {}, { 'retry-after': '0' }),
    async (client, _, told) => {
      await client.request({ method: 'POST', path: '/a', body: {} })
      expect(told).toEqual({ requests: ['POST 429', 'POST 503', 'POST 200'], retries: ['POST 429', 'POST 503'] })
    },
  )
})

it('at most 64 requests are under way, and watches are not among them', () => {
  const waiting: Http2ServerResponse[] = []
  return withClient(
    (seen, response) => {
      if (seen.path.includes('watch')) response.writeHead(200).write('\n')
      else waiting.push(response)
    },
    async (client) => {
      const stopping = new AbortController()
      const watches = Array.from({ length: 10 }, () =>
        client.watch({ path: '/a', idleMs: 60_000, signal: stopping.signal }).next(),
      )
      const all = Array.from({ length: 100 }, () => client.request(get))
      await expect.poll(() => waiting.length).toBe(64)
      let served = 0
      while (served < 100) {
        expect(waiting.length).toBeLessThanOrEqual(64)
        const one = waiting.shift()
        if (one !== undefined) {
          say(one, 200, {})
          served++
        } else await new Promise((resolve) => setImmediate(resolve))
      }
      await Promise.all(all)
      stopping.abort()
      await Promise.allSettled(watches)
    },
  )
})

it('what the work around it has no more time for is given up, however deep it is called', () =>
  withClient(
    () => undefined,
    async (client) => {
      const signal = AbortSignal.timeout(50)
      await expect(withDeadline(signal, () => client.request(get))).rejects.toThrow('timeout')
    },
  ))

it('what is not allowed any more when its turn comes is not sent', () =>
  withClient(
    (_, response) => say(response, 429, {}, { 'retry-after': '0' }),
    async (client, wire) => {
      let allowed = 2
      const allow = () => {
        if (allowed-- === 0) throw new Error('no longer')
      }
      await expect(client.request({ ...get, allow })).rejects.toThrow('no longer')
      expect(wire.requests.length).toBe(2)
    },
  ))

it('a token that was replaced on disk is taken up when the server refuses the old one', () => {
  const folder = mkdtempSync(join(tmpdir(), 'xrayiot-token-'))
  const tokenFile = join(folder, 'token')
  writeFileSync(tokenFile, 'one\n')
  let accepted = 'Bearer one'
  return withClient(
    (seen, response) => say(response, seen.headers.authorization === accepted ? 200 : 401, {}),
    async (client, wire) => {
      await client.request(get)
      writeFileSync(tokenFile, 'two\n')
      accepted = 'Bearer two'
      await client.request(get)
      expect(wire.requests.map(({ headers }) => headers.authorization)).toEqual([
        'Bearer one',
        'Bearer one',
        'Bearer two',
      ])
      expect(wire.connections()).toBe(1)
    },
    { authProvider: { name: 'tokenFile', config: { tokenFile } } },
  ).finally(() => rmSync(folder, { recursive: true }))
})

it('a certificate that was replaced gets connections of its own, and a watch on the old ones goes on', () => {
  const folder = mkdtempSync(join(tmpdir(), 'xrayiot-cert-'))
  const [certFile, keyFile] = [join(folder, 'cert'), join(folder, 'key')]
  const renew = () => {
    const { certificate, key } = makeCertificate()
    writeFileSync(certFile, certificate)
    writeFileSync(keyFile, key)
  }
  renew()
  let refuse = false
  let watch: Http2ServerResponse | undefined
  const line = (name: string) => `${JSON.stringify({ type: 'ADDED', object: { metadata: { name } } })}\n`
  return withClient(
    (seen, response) => {
      if (seen.path.includes('watch')) {
        watch = response
        response.writeHead(200)
        response.write(line('a'))
      } else {
        say(response, refuse ? 401 : 200, {})
        refuse = false
      }
    },
    async (client, wire) => {
      const lines = client.watch({ path: '/a', idleMs: 60_000, signal: new AbortController().signal })
      expect((await lines.next()).value).toMatchObject({ object: { metadata: { name: 'a' } } })
      renew()
      refuse = true
      await client.request(get)
      expect(wire.connections()).toBe(2)
      watch?.write(line('b'))
      expect((await lines.next()).value).toMatchObject({ object: { metadata: { name: 'b' } } })
      await lines.return(undefined)
    },
    { certFile, keyFile },
  ).finally(() => rmSync(folder, { recursive: true }))
})

it('closing fails what is under way, on every connection', () =>
  withClient(
    () => undefined,
    async (client, wire) => {
      const waiting = client.request(get)
      const failed = expect(waiting).rejects.toThrow()
      await expect.poll(() => wire.requests.length).toBe(1)
      await client.close()
      await failed
      await expect(client.request(get)).rejects.toThrow('is closed')
    },
  ))

it('a request on a half-open connection fails in time, and the next goes over a new one', () =>
  withWire(
    (_, response) => say(response, 200, {}),
    (wire) =>
      withHalfOpen(wire.port, async (door) => {
        const kubeConfig = wire.kubeConfig()
        const [cluster] = kubeConfig.clusters
        if (cluster !== undefined) Object.assign(cluster, { server: `https://127.0.0.1:${door.port}` })
        const metrics = { answered: () => undefined, retried: () => undefined }
        const client = createClient(kubeConfig, { userAgent: 'kit-test', metrics })
        try {
          await client.request(get)
          door.swallow()
          await expect(client.request({ ...get, limitMs: 300 })).rejects.toThrow('timeout')
          await client.request({ ...get, limitMs: 1_000 })
          expect(wire.connections()).toBe(2)
        } finally {
          await client.close()
        }
      }),
  ))
