import { describe, expect, it } from 'vitest'
import { readHttpSignature, signatureParams, signHttpRequest, verifiesHttpRequest } from './http-signature.ts'
import { type SignedMessage, signMessage, verifiesMessage } from './message-signature.ts'
import { signRequest, verifiesRequest } from './request-signature.ts'

const KEY = Buffer.alloc(32, 1)
const OTHER = Buffer.alloc(32, 2)
const request = {
  method: 'POST',
  path: '/v1/ingest',
  deviceId: '66bb584d4ae73e488c30a072',
  keyId: 'k1',
  timestampSeconds: 1735683481,
  nonce: '3q2-7wAAAAAAAAAAAAAAAQ',
  bodySha256Hex: 'ab'.repeat(32),
}
const signature = signRequest(KEY, request).toString('hex')

describe('a request signature', () => {
  it('verifies, alone or beside that of the next key', () => {
    expect(verifiesRequest(KEY, request, [signature])).toBe(true)
    expect(verifiesRequest(KEY, request, ['00'.repeat(32), signature])).toBe(true)
  })
  it.each(Object.keys(request))('fails when %s is another', (field) =>
    expect(verifiesRequest(KEY, { ...request, [field]: 'other' }, [signature])).toBe(false),
  )
  it.each([
    ['another key', OTHER, signature],
    ['upper case', KEY, signature.toUpperCase()],
    ['a shorter one', KEY, signature.slice(2)],
    ['none', KEY, ''],
  ])('fails with %s', (_, key, hex) => expect(verifiesRequest(key, request, [hex])).toBe(false))
})

describe('the RFC 9421 profile', () => {
  const covered = { method: 'POST', path: '/v1/ingest', contentDigest: 'sha-256=:AA==:', deviceId: request.deviceId }
  const params = signatureParams(1735683481, request.nonce, 'k1')
  const header = `sig1=:${signHttpRequest(KEY, covered, params).toString('base64')}:`

  it('reads and verifies what it signed, and nothing else', () => {
    const received = readHttpSignature(`sig1=${params}`, header)
    if (received === undefined) throw new Error('a valid signature was not read')
    expect(received).toMatchObject({ createdSeconds: 1735683481, nonce: request.nonce, keyId: 'k1' })
    expect(verifiesHttpRequest(KEY, covered, received)).toBe(true)
    expect(verifiesHttpRequest(OTHER, covered, received)).toBe(false)
    expect(verifiesHttpRequest(KEY, { ...covered, path: '/v1/other' }, received)).toBe(false)
  })
  it.each([
    ['a component less', params.replace(' "x-device-id"', '')],
    ['a component more', params.replace('"@path"', '"@path" "@query"')],
    ['another order', params.replace('"@method" "@path"', '"@path" "@method"')],
    ['another algorithm', params.replace('hmac-sha256', 'ed25519')],
    ['an expiry', `${params};expires=1735683491`],
    ['a quote in the key id', params.replace('"k1"', '"k"1"')],
  ])('refuses %s', (_, changed) => expect(readHttpSignature(`sig1=${changed}`, header)).toBeUndefined())
})

describe('a message signature', () => {
  const message: SignedMessage = {
    kid: 'p1',
    deviceId: request.deviceId,
    messageId: '4e0a6cf16e8ddc7b0b74612b1a36f3ea',
    receivedAtMs: 1,
    contentType: 'application/json',
    sha256Hex: 'ab'.repeat(32),
  }
  it('verifies', () => expect(verifiesMessage(KEY, message, signMessage(KEY, message))).toBe(true))
  it.each(Object.keys(message))('fails when %s is another', (field) =>
    expect(verifiesMessage(KEY, { ...message, [field]: 'other' }, signMessage(KEY, message))).toBe(false),
  )
})
