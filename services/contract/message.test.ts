import { describe, expect, it } from 'vitest'
import { MAX_HEADER_BYTES, type Message, readMessage, toProperties } from './message.ts'

const message: Message = {
  kid: 'p1',
  deviceId: '66bb584d4ae73e488c30a072',
  messageId: '4e0a6cf16e8ddc7b0b74612b1a36f3ea',
  receivedAtMs: 1735683481123,
  contentType: 'application/json',
  sha256Hex: 'ab'.repeat(32),
  deviceTimestampMs: 1735683480000,
  schema: 'recording.v1',
  attempt: 0,
  signatureHex: 'cd'.repeat(32),
  traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
}
const properties = toProperties(message)
const withHeader = (name: string, value: unknown) => ({
  ...properties,
  headers: { ...properties.headers, [name]: value },
})

it('what is published is what is read', () => expect(readMessage(properties)).toEqual({ ok: true, message }))

it('the headers stay far below their cap', () =>
  expect(Buffer.byteLength(JSON.stringify(properties.headers))).toBeLessThan(MAX_HEADER_BYTES / 4))

describe('a message that no producer published', () => {
  it.each([
    ['no headers', {}, 'auth_bad_signature'],
    ['another version', withHeader('x-v', 2), 'unsupported_version'],
    ['a version of which no text can be made', withHeader('x-v', { toString: 'x' }), 'unsupported_version'],
    ['another schema', withHeader('x-schema', 'recording.v9'), 'unsupported_version'],
    ['no signature', withHeader('x-sig', undefined), 'auth_bad_signature'],
    ['a signature that is a table', withHeader('x-sig', {}), 'auth_bad_signature'],
    ['a device with a NUL', withHeader('x-device-id', '\0'), 'auth_bad_signature'],
    ['a time that is text', withHeader('x-received-at', '1735683481123'), 'auth_bad_signature'],
    ['a negative attempt', withHeader('x-attempt', -1), 'auth_bad_signature'],
    ['no message id', { ...properties, messageId: undefined }, 'auth_bad_signature'],
    ['no content type', { ...properties, contentType: undefined }, 'auth_bad_signature'],
  ])('%s', (_, received, reason) => expect(readMessage(received)).toMatchObject({ ok: false, reason }))

  it('a malformed trace context is dropped, not trusted', () =>
    expect(readMessage(withHeader('traceparent', 'x'.repeat(5000)))).toMatchObject({ ok: true }))
})
