import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually, openBroker, openDatabase } from './cluster.ts'
import { archivedLetters } from './dead-letters.ts'
import { nonce, openDevice, recording, type Sent } from './device.ts'
import { apply, conditionHolds, manifest, remove } from './pipeline.ts'

const NAME = 'e2e-refusals'
const WITHOUT_SIGNALS = { signals: { replicas: 0, scaling: { provider: 'None' } } }

let device: Awaited<ReturnType<typeof openDevice>>
let broker: Awaited<ReturnType<typeof openBroker>>
let store: Awaited<ReturnType<typeof openDatabase>>

beforeAll(async () => {
  // No signals: whatever gets onto the queue stays there to be seen.
  await apply(manifest(NAME, WITHOUT_SIGNALS))
  await conditionHolds(NAME, 'Ready', 'True')
  device = await openDevice(NAME)
  broker = await openBroker()
  store = await openDatabase(NAME)
})
afterAll(async () => {
  await remove(NAME)
  await store.db.dropDatabase()
  await store.close()
})

const now = () => Math.floor(Date.now() / 1000)
const other = '0'.repeat(24)

describe('a request that is not right', () => {
  it.each<[string, string | (() => string), () => Sent, number, string]>([
    [
      'a wrong signature',
      recording(),
      () => ({ headers: { 'x-signature': `v1=${'0'.repeat(64)}` } }),
      401,
      'unauthenticated',
    ],
    [
      'a signature in upper case',
      recording(),
      () => ({ headers: { 'x-signature': `v1=${'A'.repeat(64)}` } }),
      400,
      'malformed',
    ],
    ['a time too old', recording(), () => ({ timestampSeconds: now() - 301 }), 401, 'clock_skew'],
    ['a time too far ahead', recording(), () => ({ timestampSeconds: now() + 310 }), 401, 'clock_skew'],
    ['a key that is not there', recording(), () => ({ headers: { 'x-key-id': 'k9' } }), 401, 'unauthenticated'],
    ['a device that did not sign', recording(), () => ({ headers: { 'x-device-id': other } }), 401, 'unauthenticated'],
    ['a body of another device', recording(), () => ({ deviceId: other }), 403, 'device_mismatch'],
    ['a nonce that is too short', recording(), () => ({ headers: { 'x-nonce': 'abc' } }), 400, 'malformed'],
    [
      'a digest of another body',
      recording(),
      () => ({ headers: { 'content-digest': `sha-256=:${'A'.repeat(43)}=:` } }),
      400,
      'malformed',
    ],
    ['no JSON', '{', () => ({}), 422, 'schema_invalid'],
    ['no points', recording({ data: [] }), () => ({}), 422, 'schema_invalid'],
    ['1001 points', recording({ data: Array(1001).fill([1, [1, 1, 1]]) }), () => ({}), 422, 'schema_invalid'],
    ['an unknown field', recording({ extra: 1 }), () => ({}), 422, 'schema_invalid'],
    [
      'another content type',
      recording(),
      () => ({ headers: { 'content-type': 'text/plain' } }),
      415,
      'unsupported_media_type',
    ],
    ['a byte too many', () => ' '.repeat(261_121), () => ({}), 413, 'body_too_large'],
  ])('%s is answered as designed and leaves nothing on the queue', async (_, body, sent, status, code) => {
    const answer = await device(typeof body === 'string' ? body : body(), sent())
    expect(answer).toMatchObject({ status, body: { code } })
    if (code === 'clock_skew') expect(Math.abs((answer.body.serverTime ?? 0) - Date.now())).toBeLessThan(60_000)
    if (answer.status === 422) expect(answer.body.errors?.[0]?.pointer).toBeDefined()
  })

  it('is not on the queue: one that is right is the only one there', async () => {
    const good = await device(recording())
    expect(good.status).toBe(202)
    const messages = await broker.take(`${NAME}.raw.q`, 100)
    expect(messages.map(({ properties }) => properties.message_id)).toEqual([good.body.messageId])
    expect(messages[0]?.payload).toBe(recording())
  })

  it('a nonce again is the same message for the same body, and refused for another', async () => {
    const used = nonce()
    const first = await device(recording(), { nonce: used })
    const again = await device(recording(), { nonce: used })
    const another = await device(recording({ timestamp: 1735683480001 }), { nonce: used })
    expect([first.status, again.status, another.status]).toEqual([202, 202, 409])
    expect(again.replayed).toBe('true')
    expect(again.body.messageId).toBe(first.body.messageId)
    expect(await broker.take(`${NAME}.raw.q`, 100)).toHaveLength(1)
  })
})

/** The properties of a message that somebody else put on the broker: all that ours have, but for a true signature. */
const unsigned = (messageId: string, kid: string) => ({
  message_id: messageId,
  content_type: 'application/json',
  delivery_mode: 2,
  headers: {
    'x-v': 1,
    'x-kid': kid,
    'x-device-id': other,
    'x-received-at': Date.now(),
    'x-device-ts': 1735683480000,
    'x-sha256': 'b'.repeat(64),
    'x-schema': 'recording.v1',
    'x-attempt': 0,
    'x-sig': 'c'.repeat(64),
  },
})

/** A dead letter as it stands in the store, where signals moves it from its queue. */
const archived = (messageId: string) =>
  eventually(`${messageId} to be an archived dead letter`, 150, async () =>
    (await archivedLetters(store.db)).find((letter) => letter.messageId === messageId),
  )

it('a message that nobody signed ends in the dead letters with its reason', async () => {
  await apply(manifest(NAME, { signals: { replicas: 1, scaling: { provider: 'None' } } }))
  await conditionHolds(NAME, 'Ready', 'True')
  expect(await broker.publish(`${NAME}.xray`, `${NAME}.raw.v1`, recording(), unsigned('a'.repeat(32), 'p1'))).toEqual({
    routed: true,
  })
  const dead = await archived('a'.repeat(32))
  expect(dead.headers).toMatchObject({
    'x-dlq-reason': 'auth_bad_signature',
    'x-dlq-detail': 'x-sig does not verify',
  })
  expect(dead.payload).toBe(recording())
})

it('a message of a key that is not here yet is tried again three times, and then a dead letter', async () => {
  const startedAt = performance.now()
  await broker.publish(`${NAME}.xray`, `${NAME}.raw.v1`, recording(), unsigned('d'.repeat(32), 'p9'))
  const { headers } = await archived('d'.repeat(32))
  // 1, 2 and 4 s at least: the ladder was climbed, not skipped.
  expect(performance.now() - startedAt).toBeGreaterThan(7_000)
  expect(headers).toMatchObject({ 'x-dlq-reason': 'auth_unknown_key', 'x-attempt': 3 })
  expect(Object.keys(headers).filter((name) => /death/.test(name))).toEqual([])
})
