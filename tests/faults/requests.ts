import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Agent } from 'node:http'
import { connect } from 'node:net'
import { gzipSync } from 'node:zlib'
import { objectIdHexFor } from '#contract/ids.ts'
import { startBoth } from './broker.ts'
import type { Fault } from './fault.ts'
import { bodyOf, deviceIdOf, post, type Reply, type SignedPost, signPost } from './load.ts'
import type { Edit } from './sabotage.ts'
import type { Stage } from './stage.ts'

const DEVICE = deviceIdOf(7)
const TIMESTAMP_MS = 1_735_683_480_000
const nowSeconds = (): number => Math.floor(Date.now() / 1000)
const newNonce = (): string => randomBytes(16).toString('base64url')

type Making = { body?: Buffer; nonce?: string; timestampSeconds?: number; deviceId?: string; keyId?: string }

/** A signed request; what is sent may then differ from what was signed. */
const make = (stage: Stage, making: Making = {}): SignedPost =>
  signPost(stage.deviceMaster, making.keyId ?? 'k1', {
    deviceId: making.deviceId ?? DEVICE,
    nonce: making.nonce ?? newNonce(),
    body: making.body ?? bodyOf(DEVICE, TIMESTAMP_MS, 20),
    timestampSeconds: making.timestampSeconds ?? nowSeconds(),
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

type Row = [what: string, expected: number, send: (send: Sending) => Promise<number>]
type Sending = { stage: Stage; port: number; agent: Agent }

/** Sends a request with other headers than were signed, or with another body. */
const changed =
  (making: Making, headers: Record<string, string | undefined>, body?: (signed: Buffer) => Buffer) =>
  async ({ stage, port, agent }: Sending): Promise<number> => {
    const signed = make(stage, making)
    const sent = Object.fromEntries(
      Object.entries({ ...signed.headers, ...headers }).filter(
        (entry): entry is [string, string] => entry[1] !== undefined,
      ),
    )
    return (await post(agent, { host: '127.0.0.1', port }, sent, body?.(signed.body) ?? signed.body)).status
  }

const NAMES = ['x-device-id', 'x-key-id', 'x-timestamp', 'x-nonce', 'x-signature']

const SIGNATURES: Row[] = [
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
  ['a time in ms', 400, changed({ timestampSeconds: Date.now() }, {})],
  ['a time with a fraction', 400, changed({}, { 'x-timestamp': '1735683481.5' })],
  ['a time before 1970', 400, changed({}, { 'x-timestamp': '-1735683481' })],
  ['a time 301 s ago', 401, changed({ timestampSeconds: nowSeconds() - 301 }, {})],
  ['a time 10 min ahead', 401, changed({ timestampSeconds: nowSeconds() + 600 }, {})],
  [
    'another time than signed',
    401,
    changed({ timestampSeconds: nowSeconds() - 5 }, { 'x-timestamp': `${nowSeconds()}` }),
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

const BODIES: Row[] = [
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

const LAG_LIMIT_SECONDS = 0.05
const GROWTH_LIMIT_BYTES = 64 * 2 ** 20

/** Sends every row while sound requests flow: those must not be held up, nor the process grow. */
const sendRows = async (stage: Stage, rows: Row[]): Promise<void> => {
  const { producer } = await startBoth(stage)
  const load = stage.load({ messages: 100, ratePerSecond: 50 })
  const agent = new Agent({ keepAlive: true })
  const before = await producer.metric('process_resident_memory_bytes')
  const outcomes = await Promise.all(
    rows.map(
      async ([what, expected, send]) =>
        [what, expected, await send({ stage, port: producer.httpPort, agent })] as const,
    ),
  )
  for (const [what, expected, got] of outcomes)
    stage.expect(got === expected, `${what}: expected ${expected}, got ${got}`)
  await load.done
  const lag = await producer.metric('nodejs_eventloop_lag_p90_seconds')
  stage.expect(lag < LAG_LIMIT_SECONDS, `the event loop lagged ${Math.round(lag * 1000)} ms`)
  const growth = (await producer.metric('process_resident_memory_bytes')) - before
  stage.expect(growth < GROWTH_LIMIT_BYTES, `the producer grew by ${Math.round(growth / 2 ** 20)} MB`)
  agent.destroy()
}

const sendRecorded = async (port: number, agent: Agent, signed: SignedPost): Promise<Reply> => {
  signed.entry.attempts++
  const reply = await post(agent, { host: '127.0.0.1', port }, signed.headers, signed.body)
  if (reply.status === 202) signed.entry.accepted = true
  return reply
}

const nonces = async (stage: Stage): Promise<void> => {
  const { producer } = await startBoth(stage)
  const agent = new Agent({ keepAlive: true })
  const send = (signed: SignedPost) => sendRecorded(producer.httpPort, agent, signed)
  const nonce = newNonce()
  const tenSecondsAgo = make(stage, { nonce, timestampSeconds: nowSeconds() - 10 })
  const [first, again] = [await send(tenSecondsAgo), await send(tenSecondsAgo)]
  stage.expect(first.status === 202, `a request: expected 202, got ${first.status}`)
  stage.expect(
    again.status === 202 && again.headers['idempotency-replayed'] === 'true' && again.text === first.text,
    `the same after 10 s: expected 202, replayed, with the same id, got ${again.status} ${again.text}`,
  )
  const other = make(stage, { nonce, body: bodyOf(DEVICE, TIMESTAMP_MS + 1, 20) })
  const reused = await send(other)
  stage.expect(reused.status === 409, `the same nonce with another body: expected 409, got ${reused.status}`)
  const late = await send(make(stage, { nonce, timestampSeconds: nowSeconds() - 301 }))
  stage.expect(late.status === 401, `the same after 301 s: expected 401, got ${late.status}`)
  stage.network.redis.refuse()
  stage.network.redis.reset()
  const without = await send(other)
  stage.expect(without.status === 202, `another body without Redis: expected 202, got ${without.status}`)
  stage.record(tenSecondsAgo.entry, other.entry)
  agent.destroy()
}

const AHEAD: Edit[] = ['services/producer/main.ts', 'services/signals/main.ts'].map((file) => ({
  file,
  from: 'now: Date.now',
  to: 'now: () => Date.now() + 600_000',
}))

const clocks = async (stage: Stage): Promise<void> => {
  const right = await startBoth(stage)
  const agent = new Agent({ keepAlive: true })
  /** A device whose clock is off: it is told so, sets its clock by the answer and sends again. */
  const sendSkewed = async (port: number, skewSeconds: number): Promise<void> => {
    const what = `a clock ${skewSeconds} s off`
    const refused = await post(...parts(port, make(stage, { timestampSeconds: nowSeconds() + skewSeconds })))
    stage.expect(refused.status === 401, `${what}: expected 401, got ${refused.status}`)
    const serverTime = Number((JSON.parse(refused.text) as { serverTime?: number }).serverTime ?? 0)
    const corrected = make(stage, { timestampSeconds: Math.floor(serverTime / 1000) })
    const accepted = await sendRecorded(port, agent, corrected)
    stage.record(corrected.entry)
    stage.expect(accepted.status === 202, `${what}, set by serverTime: expected 202, got ${accepted.status}`)
  }
  const parts = (port: number, { headers, body }: SignedPost): Parameters<typeof post> => [
    agent,
    { host: '127.0.0.1', port },
    headers,
    body,
  ]
  for (const skew of [-600, 600]) await sendSkewed(right.producer.httpPort, skew)
  const ahead = await stage.start('producer', { edits: AHEAD.slice(0, 1) })
  await ahead.ready()
  await sendSkewed(ahead.httpPort, 0)
  await right.signals.stop()
  stage.uncount() // its counts went with it
  await (await stage.start('signals', { edits: AHEAD.slice(1) })).ready()
  await sendSkewed(ahead.httpPort, 0)
  await stage.drained()
  for (const { _id, messageId } of await stage.db.collection('signals').find().toArray())
    stage.expect(
      _id.toHexString() === objectIdHexFor(TIMESTAMP_MS, messageId),
      `${messageId} has an id of another clock`,
    )
  agent.destroy()
}

export const REQUESTS: Fault[] = [
  {
    name: 'nonce-again',
    what: 'a nonce is used again: same body, other body, too late, without Redis',
    expected: '202 replayed with the same id, 409, 401, and a message of its own',
    control: {
      sabotage: 'no-nonces',
      of: 'producer',
      breaks: /^fault: the same nonce with another body: expected 409/,
    },
    run: nonces,
  },
  {
    name: 'bad-signatures',
    what: `requests that are signed badly in ${SIGNATURES.length} ways`,
    expected: 'each is refused as designed, and nothing of them is stored',
    control: { sabotage: 'no-authentication', of: 'producer', breaks: /^fault: .* expected 401, got 202/ },
    run: (stage) => sendRows(stage, SIGNATURES),
  },
  {
    name: 'bad-bodies',
    what: `bodies that are no recordings in ${BODIES.length} ways`,
    expected: 'each is refused as designed, sound requests are not held up, and memory is flat',
    control: { sabotage: 'no-schema', of: 'producer', breaks: /^fault: .* expected 422, got 202/ },
    run: (stage) => sendRows(stage, BODIES),
  },
  {
    name: 'clock-skew',
    what: 'the clocks of devices, of a producer and of signals are 10 minutes off',
    expected: '401 with the time; a device that sets its clock by it is accepted; ids are the same',
    control: { sabotage: 'no-skew-check', of: 'producer', breaks: /^fault: a clock -600 s off: expected 401/ },
    run: clocks,
  },
]
