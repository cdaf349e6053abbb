import { describe, expect, it } from 'vitest'
import { readRequestHeaders } from './request-headers.ts'

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
      timestamp: '1735683481',
      timestampSeconds: 1735683481,
      nonce: valid['x-nonce'],
      signatures: [HEX],
    },
  }))

it('reads two signatures and a digest', () => {
  const digest = `sha-256=:${Buffer.from(HEX, 'hex').toString('base64')}:`
  const read = readRequestHeaders({ ...valid, 'x-signature': `v1=${HEX},v1=${HEX}`, 'content-digest': digest })
  expect(read).toMatchObject({ ok: true, headers: { signatures: [HEX, HEX], contentSha256Hex: HEX } })
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
