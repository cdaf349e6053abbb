import { Agent } from 'node:http'
import { objectIdHexFor } from '#contract/ids.ts'
import { startBoth } from './broker.ts'
import type { Fault } from './fault.ts'
import { bodyOf, post, type Reply, type SignedPost } from './load.ts'
import { BODIES, DEVICE, make, newNonce, nowSeconds, type Row, SIGNATURES, TIMESTAMP_MS } from './request-rows.ts'
import type { Edit } from './sabotage.ts'
import type { Stage } from './stage.ts'

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

/** Sends a request and notes in its ledger entry what came of it. */
export const sendRecorded = async (port: number, agent: Agent, signed: SignedPost): Promise<Reply> => {
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
  const tenSecondsAgo = make(stage, { nonce, secondsAgo: 10 })
  const [first, again] = [await send(tenSecondsAgo), await send(tenSecondsAgo)]
  stage.expect(first.status === 202, `a request: expected 202, got ${first.status}`)
  stage.expect(
    again.status === 202 && again.headers['idempotency-replayed'] === 'true' && again.text === first.text,
    `the same after 10 s: expected 202, replayed, with the same id, got ${again.status} ${again.text}`,
  )
  const other = make(stage, { nonce, body: bodyOf(DEVICE, TIMESTAMP_MS + 1, 20) })
  const reused = await send(other)
  stage.expect(reused.status === 409, `the same nonce with another body: expected 409, got ${reused.status}`)
  const late = await send(make(stage, { nonce, secondsAgo: 301 }))
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
    const refused = await post(...parts(port, make(stage, { secondsAgo: -skewSeconds })))
    stage.expect(refused.status === 401, `${what}: expected 401, got ${refused.status}`)
    const serverTime = Number((JSON.parse(refused.text) as { serverTime?: number }).serverTime ?? 0)
    const corrected = make(stage, { secondsAgo: nowSeconds() - Math.floor(serverTime / 1000) })
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
