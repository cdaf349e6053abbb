import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { Agent } from 'node:http'
import { connect } from 'node:net'
import { gzipSync } from 'node:zlib'
import { bodyOf, deviceIdOf, post, type SignedPost, signPost } from './load.ts'
import type { Stage } from './stage.ts'

export const DEVICE = deviceIdOf(7)
export const TIMESTAMP_MS = 1_735_683_480_000
export const nowSeconds = (): number => Math.floor(Date.now() / 1000)
export const newNonce = (): string => randomBytes(16).toString('base64url')

type Making = { body?: Buffer; nonce?: string; secondsAgo?: number; deviceId?: string; keyId?: string }

/** A signed request; what is sent may then differ from what was signed. */
export const make = (stage: Stage, making: Making = {}): SignedPost =>
  signPost(stage.deviceMaster, making.keyId ?? 'k1', {
    deviceId: making.deviceId ?? DEVICE,
    nonce: making.nonce ?? newNonce(),
    body: making.body ?? bodyOf(DEVICE, TIMESTAMP_MS, 20),
    timestampSeconds: nowSeconds() - (making.secondsAgo ?? 0),
  })

/** Sends bytes as they are and returns the status of the answer, or 0 when there is none. */
const raw = async (port: number, ...parts: (string | Buffer)[]): Promise<number> => {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  for (const part of parts) socket.write(part)
  const answer = await Promise.race([once(socket, 'data'), once(socket, 'close')]).catch(() => [])
  socket.destroy()
  return Number(/^HTTP\/1\.1 ([0-9]{3})/.exec(String(answer[0]))?.[1] ?? 0)
}

const headOf = ({ headers }: SignedPost, more: string[], path = '/v1/ingest'): string =>
  [
    `POST ${path} HTTP/1.1`,
    'host: x',
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    ...more,
    '',
    '',
  ].join('\r\n')

/** One bad request: what it is, the status that it must get (0: no answer), and how it is sent. */
export type Row = [what: string, expected: number, send: (send: Sending) => Promise<number>]
type Sending = { stage: Stage; port: number; agent: Agent }

type Headers = Record<string, string | undefined>
type Change = Headers | ((signed: Headers) => Headers)

/** Sends a request with other headers than were signed, or with another body. */
const changed =
  (making: Making, change: Change, body?: (signed: Buffer) => Buffer) =>
  async ({ stage, port, agent }: Sending): Promise<number> => {
    const signed = make(stage, making)
    const headers = typeof change === 'function' ? change(signed.headers) : change
    const sent = Object.fromEntries(
      Object.entries({ ...signed.headers, ...headers }).filter(
        (entry): entry is [string, string] => entry[1] !== undefined,
      ),
    )
    return (await post(agent, { host: '127.0.0.1', port }, sent, body?.(signed.body) ?? signed.body)).status
  }

const NAMES = ['x-device-id', 'x-key-id', 'x-timestamp', 'x-nonce', 'x-signature']

export const SIGNATURES: Row[] = [
  ...NAMES.flatMap((name): Row[] => [
    [`${name} missing`, 400, changed({}, { [name]: undefined })],
    [`${name} of 2 KB`, 400, changed({}, { [name]: 'a'.repeat(2048) })],
    [
      `${name} twice`,
      400,
      ({ stage, port }) => {
        const signed = make(stage)
        const twice = [`${name}: ${signed.headers[name]}`, `content-length: ${signed.body.length}`]
        return raw(port, headOf(signed, twice), signed.body)
      },
    ],
  ]),
  ['a signature in upper case', 400, changed({}, { 'x-signature': `v1=${'A'.repeat(64)}` })],
  ['a wrong signature', 401, changed({}, { 'x-signature': `v1=${'0'.repeat(64)}` })],
  ['a time in ms', 400, changed({}, { 'x-timestamp': '1735683481000' })],
  ['a time with a fraction', 400, changed({}, { 'x-timestamp': '1735683481.5' })],
  ['a time before 1970', 400, changed({}, { 'x-timestamp': '-1735683481' })],
  ['a time 301 s ago', 401, changed({ secondsAgo: 301 }, {})],
  ['a time 10 min ahead', 401, changed({ secondsAgo: -600 }, {})],
  [
    'another time than signed',
    401,
    changed({}, (signed) => ({ 'x-timestamp': String(Number(signed['x-timestamp']) - 5) })),
  ],
  ['a nonce of 15 bytes', 400, changed({ nonce: randomBytes(15).toString('base64url') }, {})],
  ['a nonce of 33 bytes', 400, changed({ nonce: randomBytes(33).toString('base64url') }, {})],
  ['another nonce than signed', 401, changed({}, { 'x-nonce': newNonce() })],
  ['a key that is not there', 401, changed({ keyId: 'k9' }, {})],
  ['a device that did not sign', 401, changed({}, { 'x-device-id': deviceIdOf(8) })],
  ['a body that names another device', 403, changed({ deviceId: deviceIdOf(8) }, {})],
  ['a byte of the body changed', 401, changed({}, {}, (body) => Buffer.from(body.toString().replace('1001', '1002')))],
  ['CRLF after the body', 401, changed({}, {}, (body) => Buffer.concat([body, Buffer.from('\r\n')]))],
  ['no body', 401, changed({}, {}, () => Buffer.alloc(0))],
  ['a compressed body', 415, changed({}, { 'content-encoding': 'gzip' }, (body) => gzipSync(body))],
  [
    'a path that means the same',
    404,
    ({ stage, port }) => {
      const signed = make(stage)
      return raw(port, headOf(signed, [`content-length: ${signed.body.length}`], '/v1/%2e/ingest'), signed.body)
    },
  ],
  [
    'a query',
    400,
    ({ stage, port }) => {
      const signed = make(stage)
      return raw(port, headOf(signed, [`content-length: ${signed.body.length}`], '/v1/ingest?a=1'), signed.body)
    },
  ],
  [
    'two lengths',
    400,
    ({ stage, port }) => {
      const signed = make(stage)
      const lengths = ['content-length: 5', `content-length: ${signed.body.length}`]
      return raw(port, headOf(signed, lengths), signed.body)
    },
  ],
  [
    'a NUL in a header',
    400,
    ({ stage, port }) => raw(port, headOf(make(stage), ['x-more: a\0b', 'content-length: 0'])),
  ],
]

const recording = (data: string, more = ''): Buffer =>
  Buffer.from(`{"deviceId":"${DEVICE}","timestamp":${TIMESTAMP_MS},"data":${data}${more}}`)
const POINT = '[1,[51.3,12.3,1.2]]'
const points = (count: number): string => `[${Array(count).fill(POINT).join(',')}]`

const body = (bytes: Buffer, headers: Record<string, string> = {}): Row[2] => changed({ body: bytes }, headers)

export const BODIES: Row[] = [
  ['no bytes', 422, body(Buffer.alloc(0))],
  ['no points', 422, body(recording('[]'))],
  ['1001 points', 422, body(recording(points(1001)))],
  ['NaN', 422, body(recording('[[1,[NaN,12.3,1]]]'))],
  ['1e999', 422, body(recording('[[1,[51.3,12.3,1e999]]]'))],
  ['strings for numbers', 422, body(recording('[["1",["51.3",12.3,1]]]'))],
  ['100,000 levels', 422, body(recording('['.repeat(100_000)))],
  ['100,000 levels that end', 422, body(recording(`${'['.repeat(100_000)}${']'.repeat(100_000)}`))],
  ['a key twice', 422, body(recording(`[${POINT}]`, `,"timestamp":${TIMESTAMP_MS}`))],
  ['__proto__', 422, body(recording(`[${POINT}]`, ',"__proto__":{"a":1}'))],
  ['invalid UTF-8', 422, body(Buffer.concat([recording(`[${POINT}]`), Buffer.from([0xc3, 0x28])]))],
  ['a byte order mark', 422, body(Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), recording(`[${POINT}]`)]))],
  ['261,121 bytes', 413, body(Buffer.alloc(261_121, ' '))],
  ['a compressed bomb', 415, body(gzipSync(Buffer.alloc(50_000_000)), { 'content-encoding': 'gzip' })],
  [
    'chunks that end early',
    0,
    async ({ stage, port }) => {
      const signed = make(stage)
      const socket = connect(port, '127.0.0.1')
      await once(socket, 'connect')
      socket.write(headOf(signed, ['transfer-encoding: chunked']))
      socket.end(`40\r\n${signed.body.subarray(0, 20)}`)
      const [answer] = await Promise.race([once(socket, 'data'), once(socket, 'close')])
      socket.destroy()
      return String(answer).startsWith('HTTP/1.1 2') ? 202 : 0
    },
  ],
  ['a head that never ends', 408, ({ port }) => raw(port, 'POST /v1/ingest HTTP/1.1\r\nhost: x\r\nx-slow: ')],
]
