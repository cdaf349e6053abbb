import { describe, expect, it } from 'vitest'
import { sha256Hex } from '#contract/digest.ts'
import { type Message, toProperties } from '#contract/message.ts'
import { signMessage } from '#contract/message-signature.ts'
import { inspect } from './inspection.ts'

const KEYS = new Map([['p1', Buffer.alloc(32, 1)]])
const DEVICE = '66bb584d4ae73e488c30a072'
/** A time that no id can hold: its seconds need more than 32 bits. */
const IN_2264_MS = 9_300_000_000_000
const LATE_BODY = `{"deviceId":"${DEVICE}","timestamp":${IN_2264_MS},"data":[[762,[51.3,12.3,1.2]]]}`
const BODY = `{"deviceId":"${DEVICE}","timestamp":1735683480000,"data":[[762,[51.3,12.3,1.2]]]}`

/** A message that a producer would have published, and what is changed after it was signed. */
const published = (body: string, change: Partial<Message> = {}, kid = 'p1', receivedAtMs = 1735683481123) => {
  const signed = {
    kid,
    deviceId: DEVICE,
    messageId: 'a'.repeat(32),
    receivedAtMs,
    contentType: 'application/json',
    sha256Hex: sha256Hex(body),
  }
  const signatureHex = signMessage(Buffer.alloc(32, 1), signed)
  return toProperties({
    ...signed,
    signatureHex,
    deviceTimestampMs: 1735683480000,
    schema: 'recording.v1',
    attempt: 0,
    ...change,
  })
}

describe('a message', () => {
  it('that a producer signed is sound, with its fixed id and its figures', () =>
    expect(inspect(published(BODY), Buffer.from(BODY), KEYS, () => {})).toMatchObject({
      kind: 'sound',
      entry: { idHex: expect.stringMatching(/^67746d98/), summary: { dataPoints: 1 } },
    }))
  it('that was tried before is still sound: a retry changes nothing that is signed', () =>
    expect(inspect(published(BODY, { attempt: 3 }), Buffer.from(BODY), KEYS, () => {}).kind).toBe('sound'))

  it.each([
    ['with another body', published(BODY), `${BODY} `, 'dead', 'auth_bad_signature'],
    [
      'with another device in its headers',
      published(BODY, { deviceId: '0'.repeat(24) }),
      BODY,
      'dead',
      'auth_bad_signature',
    ],
    ['with another time of receipt', published(BODY, { receivedAtMs: 1 }), BODY, 'dead', 'auth_bad_signature'],
    ['without headers', {}, BODY, 'dead', 'auth_bad_signature'],
    ['of a key that is not here yet', published(BODY, {}, 'p2'), BODY, 'retry', 'auth_unknown_key'],
    ['signed, with no recording in it', published('{}'), '{}', 'dead', 'schema_invalid'],
    [
      'signed for one device and recorded by another',
      published(BODY.replace(DEVICE, 'f'.repeat(24))),
      BODY.replace(DEVICE, 'f'.repeat(24)),
      'dead',
      'schema_invalid',
    ],
    [
      'signed, of a time that no id can hold,',
      published(LATE_BODY, {}, 'p1', IN_2264_MS),
      LATE_BODY,
      'dead',
      'transform_failed',
    ],
  ])('%s is refused', (_, properties, body, kind, reason) =>
    expect(inspect(properties, Buffer.from(body), KEYS, () => {})).toMatchObject({ kind, reason }),
  )
})
