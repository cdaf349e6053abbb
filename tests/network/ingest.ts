import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { pino } from 'pino'
import { deriveDeviceKey } from '#contract/device-key.ts'
import { sha256Hex } from '#contract/digest.ts'
import { signatureParams, signHttpRequest } from '#contract/http-signature.ts'
import { signRequest } from '#contract/request-signature.ts'
import { createDerivedKeys } from '#runtime/derived-keys.ts'
import type { Registered } from '#runtime/device-registry.ts'
import type { NonceUse } from '#runtime/nonces.ts'
import { closeServer, listen } from '#runtime/probe.ts'
import type { Outcome, Publication } from '#runtime/publisher.ts'
import { createRoom } from '../../services/producer/body.ts'
import type { IngestContext } from '../../services/producer/ingest.ts'
import { createRateLimit } from '../../services/producer/rate-limit.ts'
import { createIngestServer, type Result, resultOf } from '../../services/producer/server.ts'

export const MASTER = Buffer.alloc(32, 7)
export const DEVICE = '66bb584d4ae73e488c30a072'
/** What the server takes the time to be, in ms. */
export const NOW = 1_735_683_481_000

/** A valid recording as text, with whatever is changed. */
export const recording = (change: object = {}): string =>
  JSON.stringify({ deviceId: DEVICE, timestamp: 1735683480000, data: [[762, [51.3, 12.3, 1.2]]], ...change })

/**
 * The producer's own server on a socket, with only what lies beyond the broker and Redis in memory.
 * @param change of what the server is given
 */
export const openIngest = async (change: Partial<IngestContext> & { outcome?: (body: string) => Outcome } = {}) => {
  const published: Publication[] = []
  const results: Result[] = []
  const used: string[] = []
  const nonces = new Map<string, NonceUse>()
  const registry = new Map<string, Registered>()
  const { outcome = () => 'confirmed', ...context } = change
  const server = createIngestServer(
    {
      keys: () => ({
        deviceMasters: new Map([['k1', MASTER]]),
        messages: new Map(),
        signing: { kid: 'p1', key: MASTER },
        apiAdminToken: undefined,
      }),
      devices: { find: (id) => registry.get(id), problem: () => undefined },
      nonces: {
        read: async (deviceId, nonce) => nonces.get(`${deviceId}:${nonce}`),
        write: async (deviceId, nonce, use) => void nonces.set(`${deviceId}:${nonce}`, use),
      },
      publisher: {
        publish: async (publication) => {
          const became = outcome(publication.body.toString())
          if (became === 'confirmed') published.push(publication)
          return became
        },
      },
      rateLimit: createRateLimit(100_000),
      derivedKeys: createDerivedKeys(100),
      room: createRoom(33_554_432),
      batchRoom: createRoom(33_554_432),
      exchange: 'x',
      routingKey: 'r',
      now: () => NOW,
      random: () => 0,
      published: () => undefined,
      used: (deviceId, keyId, state) => used.push(`${deviceId}|${keyId} ${state}`),
      ...context,
    },
    (answer) => results.push(resultOf(answer)),
    pino({ level: 'silent' }),
  )
  await listen(server, 0)
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  return {
    server,
    port: address.port,
    published,
    results,
    used,
    registry,
    close: () => {
      server.closeAllConnections()
      return closeServer(server)
    },
  }
}

export type Ingest = Awaited<ReturnType<typeof openIngest>>
type Signed = { path?: string; keyId?: string; key?: Buffer; nonce?: string; timestamp?: string; deviceId?: string }

const filled = (signed: Signed) => {
  const { path = '/v1/ingest', keyId = 'k1', deviceId = DEVICE } = signed
  const { nonce = randomBytes(16).toString('base64url'), timestamp = String(NOW / 1000) } = signed
  return { path, keyId, deviceId, nonce, timestamp, key: signed.key ?? deriveDeviceKey(MASTER, deviceId, keyId) }
}

/** The headers of XRAY1 for a body, as lines may be made of them. */
export const xray1 = (body: string | Buffer, signed: Signed = {}): Record<string, string> => {
  const { path, keyId, deviceId, nonce, timestamp, key } = filled(signed)
  const bodySha256Hex = sha256Hex(body)
  const request = { method: 'POST', path, deviceId, keyId, timestampSeconds: timestamp, nonce, bodySha256Hex }
  return {
    'content-type': 'application/json',
    'x-device-id': deviceId,
    'x-key-id': keyId,
    'x-timestamp': timestamp,
    'x-nonce': nonce,
    'x-signature': `v1=${signRequest(key, request).toString('hex')}`,
  }
}

/** The headers of the RFC 9421 profile for a body. */
export const rfc9421 = (body: string | Buffer, signed: Signed = {}): Record<string, string> => {
  const { path, keyId, deviceId, nonce, timestamp, key } = filled(signed)
  const contentDigest = `sha-256=:${Buffer.from(sha256Hex(body), 'hex').toString('base64')}:`
  const params = signatureParams(Number(timestamp), nonce, keyId)
  const signature = signHttpRequest(key, { method: 'POST', path, contentDigest, deviceId }, params)
  return {
    'content-type': 'application/json',
    'x-device-id': deviceId,
    'content-digest': contentDigest,
    'signature-input': `sig1=${params}`,
    signature: `sig1=:${signature.toString('base64')}:`,
  }
}

/** A request's head as bytes on the wire. */
export const head = (headers: Record<string, string | string[]>, target = '/v1/ingest', method = 'POST'): string =>
  [
    `${method} ${target} HTTP/1.1`,
    'host: ingest',
    ...Object.entries(headers).flatMap(([name, values]) => [values].flat().map((value) => `${name}: ${value}`)),
    '',
    '',
  ].join('\r\n')

export type RawAnswer = { status: number; headers: string; body: string }

/** Reads the answers out of what came over a connection, interim ones included. */
export const readAnswers = (text: string): RawAnswer[] => {
  const answers: RawAnswer[] = []
  for (let rest = text; rest !== ''; ) {
    const end = rest.indexOf('\r\n\r\n')
    const headers = rest.slice(0, end)
    const length = Number(/^content-length: (\d+)$/im.exec(headers)?.[1] ?? 0)
    answers.push({ status: Number(headers.slice(9, 12)), headers, body: rest.slice(end + 4, end + 4 + length) })
    rest = rest.slice(end + 4 + length)
  }
  return answers
}

/**
 * Opens a connection, sends the parts as they are and collects what comes back until the server ends the connection.
 * @param parts what to send; a function is given what came so far once it is not empty, and says what to send then
 */
export const exchange = (port: number, ...parts: (string | Buffer | ((received: string) => string | Buffer))[]) =>
  new Promise<RawAnswer[]>((resolve, reject) => {
    let received = ''
    const waiting = [...parts]
    const socket = connect(port, '127.0.0.1')
    const go = (): void => {
      while (waiting.length > 0 && typeof waiting[0] !== 'function') socket.write(waiting.shift() as string | Buffer)
      if (received === '' || typeof waiting[0] !== 'function') return
      const next = waiting.shift() as (received: string) => string | Buffer
      socket.write(next(received))
      go()
    }
    socket.on('connect', go)
    socket.on('data', (chunk) => {
      received += chunk
      go()
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      // What is still being sent when the server closes is refused by a reset; the answer may have come before.
      if (error.code !== 'ECONNRESET' && error.code !== 'EPIPE') reject(error)
    })
    socket.on('close', () => resolve(readAnswers(received)))
  })

/** Sends one request whose connection ends with it, and returns its only answer. */
export const send = async (
  port: number,
  body: string | Buffer,
  headers: Record<string, string | string[]>,
  target?: string,
): Promise<RawAnswer> => {
  const lines = { 'content-length': String(Buffer.byteLength(body)), ...headers, connection: 'close' }
  const [answer, ...more] = await exchange(port, head(lines, target), body)
  if (answer === undefined || more.length > 0) throw new Error(`expected one answer, got ${1 + more.length}`)
  return answer
}
