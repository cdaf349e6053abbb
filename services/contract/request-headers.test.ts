import { describe, expect, it } from 'vitest'
import { signatureParams, signHttpRequest } from './http-signature.ts'
import { readRequestHeaders, verifiesHeaders } from './request-headers.ts'
import { signRequest } from './request-signature.ts'

const HEX = 'ab'.repeat(32)
const valid = {
  'x-device-id': '66bb584d4ae73e488c30a072',
  'x-key-id': 'k1',
  'x-timestamp': '1735683481',
  'x-nonce': '3q2-7wAAAAAAAAAAAAAAAQ',
  'x-signature': `v1=${HEX}`,
}

it('reads the five headers', () =>
  expect(readRequestHeaders(valid)).toEqual({
    ok: true,
    headers: {
      deviceId: valid['x-device-id'],
      keyId: 'k1',
      timestampSeconds: 1735683481,
      nonce: valid['x-nonce'],
      proof: { profile: 'XRAY1', timestamp: '1735683481', signatures: [HEX] },
    },
  }))

it('reads two signatures and a digest', () => {
  const digest = `sha-256=:${Buffer.from(HEX, 'hex').toString('base64')}:`
  const read = readRequestHeaders({ ...valid, 'x-signature': `v1=${HEX},v1=${HEX}`, 'content-digest': digest })
  expect(read).toMatchObject({ ok: true, headers: { proof: { signatures: [HEX, HEX] }, contentSha256Hex: HEX } })
})

describe('a header that is missing or malformed is named', () => {
  it.each(Object.keys(valid))('%s missing', (header) =>
    expect(readRequestHeaders({ ...valid, [header]: undefined })).toMatchObject({ ok: false, header }),
  )
  it.each([
    ['x-device-id', '66BB584D4AE73E488C30A072'],
    ['x-device-id', ['66bb584d4ae73e488c30a072', '66bb584d4ae73e488c30a072']],
    ['x-key-id', 'k|1'],
    ['x-key-id', 'k'.repeat(2048)],
    ['x-timestamp', '1735683481000'],
    ['x-timestamp', '1735683481.5'],
    ['x-timestamp', '-1735683481'],
    ['x-timestamp', '01735683481'],
    ['x-timestamp', ''],
    ['x-nonce', 'A'.repeat(20)],
    ['x-nonce', 'A'.repeat(44)],
    ['x-nonce', 'A'.repeat(25)],
    ['x-nonce', '3q2+7wAAAAAAAAAAAAAAAQ'],
    ['x-signature', HEX],
    ['x-signature', `v1=${HEX.toUpperCase()}`],
    ['x-signature', `v1=${HEX}, v1=${HEX}`],
    ['x-signature', `v1=${HEX},v1=${HEX},v1=${HEX}`],
    ['content-digest', 'sha-512=:AAAA:'],
  ])('%s: %j', (header, value) =>
    expect(readRequestHeaders({ ...valid, [header]: value })).toMatchObject({ ok: false, header }),
  )
})

const KEY = Buffer.alloc(32, 1)
const DIGEST = `sha-256=:${Buffer.from(HEX, 'hex').toString('base64')}:`
const request = { method: 'POST', path: '/v1/ingest', bodySha256Hex: HEX }
const params = signatureParams(1735683481, valid['x-nonce'], 'k1')
const covered = { method: 'POST', path: '/v1/ingest', contentDigest: DIGEST, deviceId: valid['x-device-id'] }
const byRfc9421 = {
  'x-device-id': valid['x-device-id'],
  'content-digest': DIGEST,
  'signature-input': `sig1=${params}`,
  signature: `sig1=:${signHttpRequest(KEY, covered, params).toString('base64')}:`,
}
const byXray1 = {
  ...valid,
  'x-signature': `v1=${signRequest(KEY, {
    ...request,
    deviceId: valid['x-device-id'],
    keyId: 'k1',
    timestampSeconds: 1735683481,
    nonce: valid['x-nonce'],
  }).toString('hex')}`,
}

const verifies = (headers: Record<string, string>, key: Uint8Array, change: object = {}): boolean => {
  const read = readRequestHeaders(headers)
  if (!read.ok) throw new Error(read.reason)
  return verifiesHeaders(key, read.headers, { ...request, ...change })
}

describe.each([
  ['XRAY1', byXray1],
  ['RFC 9421', byRfc9421],
])('a request signed by %s', (_, headers) => {
  it('says who signed it, when and with which nonce', () =>
    expect(readRequestHeaders(headers)).toMatchObject({
      headers: {
        deviceId: valid['x-device-id'],
        keyId: 'k1',
        timestampSeconds: 1735683481,
        nonce: valid['x-nonce'],
      },
    }))
  it('verifies with its key and no other, for its path and no other', () => {
    expect(verifies(headers, KEY)).toBe(true)
    expect(verifies(headers, Buffer.alloc(32, 2))).toBe(false)
    expect(verifies(headers, KEY, { path: '/v1/ingest/batch' })).toBe(false)
    expect(verifies(headers, KEY, { method: 'PUT' })).toBe(false)
  })
  it('does not verify for another device', () =>
    expect(verifies({ ...headers, 'x-device-id': '0'.repeat(24) }, KEY)).toBe(false))
})

describe('a header of the RFC 9421 profile that is missing or malformed is named', () => {
  it.each([
    ['x-device-id', undefined],
    ['content-digest', undefined],
    ['content-digest', 'sha-512=:AAAA:'],
    ['content-digest', [DIGEST, DIGEST]],
    ['signature-input', `sig2=${params}`],
    ['signature-input', `sig1=${params.replace('hmac-sha256', 'ed25519')}`],
    ['signature-input', `sig1=${params.replace(valid['x-nonce'], 'A'.repeat(25))}`],
    ['signature-input', `sig1=${params};expires=1`],
    ['signature-input', `sig1=${params}, sig1=${params}`],
    ['signature', undefined],
    ['signature', `sig2=:${'A'.repeat(43)}=:`],
  ])('%s: %j', (header, value) =>
    expect(readRequestHeaders({ ...byRfc9421, [header]: value })).toMatchObject({ ok: false, header }),
  )
})

it('a request with both kinds of signature is one of XRAY1', () =>
  expect(readRequestHeaders({ ...byRfc9421, ...byXray1 })).toMatchObject({ headers: { proof: { profile: 'XRAY1' } } }))
