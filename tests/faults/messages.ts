import { randomBytes } from 'node:crypto'
import { sha256Hex } from '#contract/digest.ts'
import { must } from '../stand/condition.ts'
import { startBoth } from './broker.ts'
import type { Fault } from './fault.ts'
import { type Forged, forge, publish } from './forgery.ts'
import { deviceIdOf } from './load.ts'
import type { LedgerEntry } from './oracle.ts'
import type { Edit } from './sabotage.ts'
import type { Stage } from './stage.ts'

const COPIES = 50

const copies = async (stage: Stage): Promise<void> => {
  const consumers = await Promise.all(Array.from({ length: 4 }, () => stage.start('signals')))
  await Promise.all(consumers.map((one) => one.ready()))
  for (let round = 0; round < 10; round++) await publish(stage, Array(COPIES).fill(forge(stage)))
}

const withHeaders = (
  forged: Forged,
  headers: Record<string, string | number>,
  expect: LedgerEntry['expect'],
): Forged => ({
  ...forged,
  properties: { ...forged.properties, headers: { ...forged.properties.headers, ...headers } },
  entry: { ...forged.entry, expect },
})

/** Messages that somebody edited, or signed with a key that is not the pipeline's, and where they must end. */
const forgeries = (stage: Stage): Forged[] => {
  const bad = 'auth_bad_signature'
  const unsigned = forge(stage, { expect: bad })
  const { 'x-v': _, ...withoutVersion } = unsigned.properties.headers
  const edited = forge(stage, { expect: bad })
  edited.body[20] = 0x31
  return [
    edited,
    forge(stage, { key: randomBytes(32), expect: bad }),
    withHeaders(forge(stage), { 'x-device-id': deviceIdOf(99) }, bad),
    withHeaders(forge(stage), { 'x-kid': 'p2' }, bad),
    withHeaders(forge(stage), { 'x-sig': '0'.repeat(64) }, bad),
    withHeaders(forge(stage), { 'x-received-at': 1 }, bad),
    withHeaders(forge(stage), { 'x-sha256': 'a'.repeat(64) }, bad),
    withHeaders(forge(stage), { 'x-attempt': -1 }, bad),
    { ...unsigned, properties: { ...unsigned.properties, headers: withoutVersion } },
    withHeaders(forge(stage), { 'x-v': 2 }, 'unsupported_version'),
    withHeaders(forge(stage), { 'x-schema': 'recording.v9' }, 'unsupported_version'),
    forge(stage, { body: Buffer.alloc(261_121, ' '), expect: 'body_too_large' }),
    forge(stage, { body: Buffer.from('{}'), expect: 'schema_invalid' }),
  ].map((message) => ({ ...message, entry: { ...message.entry, sha256Hex: sha256Hex(message.body) } }))
}

const forged = async (stage: Stage): Promise<void> => {
  stage.setKey('signals', 'message-p2', randomBytes(32))
  await (await stage.start('signals')).ready()
  const messages = forgeries(stage)
  await publish(stage, messages)
  await must('the forged messages to be dealt with', 60_000, async () =>
    (await stage.depth(stage.names.queue)) === 0 &&
    (await stage.deadLetters()) + (await stage.db.collection('signals').countDocuments()) >= messages.length
      ? true
      : undefined,
  )
  for (const { properties } of messages) {
    const known = await stage.redis.keys(`*idempotency:*:${properties.messageId}`)
    stage.expect(known.length === 0, `Redis was asked about the forged message ${properties.messageId}`)
  }
}

/** A producer signs with a new key after 120 s, so that signals has it by then. Here it does not wait. */
const UNRIPE: Edit = {
  file: 'services/contract/message-keys.ts',
  from: 'RIPE_AFTER_MS = 120_000',
  to: 'RIPE_AFTER_MS = 0',
}

/** The pipeline's key is replaced in the wrong order: producers sign with it before signals has it. */
const rotation = async (stage: Stage): Promise<void> => {
  await startBoth(stage, { edits: [UNRIPE] })
  const load = stage.load({ messages: 700, ratePerSecond: 50 })
  const next = randomBytes(32)
  stage.setKey('producer', 'message-p2', next)
  const [first = ''] = stage.names.retryQueues
  await must('messages of the new key to wait for it', 60_000, async () =>
    (await stage.depth(first)) + (await stage.deadLetters()) > 0 ? true : undefined,
  )
  stage.setKey('signals', 'message-p2', next)
  await load.done
  stage.setKey('producer', 'message-p1', undefined)
  await stage.drained()
  stage.setKey('signals', 'message-p1', undefined)
  stage.expect([...load.answers.keys()].join() === '202', `expected only 202, got ${[...load.answers.keys()]}`)
}

export const MESSAGES: Fault[] = [
  {
    name: 'copies',
    what: `ten messages are published ${COPIES} times each to four consumers`,
    expected: `each is stored once, and the others are counted as duplicates`,
    control: { sabotage: 'random-ids', of: 'signals', breaks: /^I2 .* is stored [0-9]+ times/ },
    run: copies,
  },
  {
    name: 'forged-messages',
    what: 'messages on the broker are edited, signed with another key, of another version or no recordings',
    expected: 'each is a dead letter with its reason, and Redis and the store are not touched',
    control: { sabotage: 'no-message-signature', of: 'signals', breaks: /expected auth_bad_signature, got stored/ },
    run: forged,
  },
  {
    name: 'key-rotation',
    what: "the pipeline's key is replaced under load, at the producer first, and the former is withdrawn",
    expected: 'messages of the new key wait on the ladder until signals has it; none is refused or dead-lettered',
    options: { retry: { maxRetries: 3, delaysMs: [1000, 2000, 4000, 8000], jitterMs: 1000 } },
    control: { sabotage: 'unknown-key-is-dead', of: 'signals', breaks: /expected stored, got auth_unknown_key/ },
    run: rotation,
  },
]
