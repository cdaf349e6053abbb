import { describe, expect, it } from 'vitest'
import { byNumber, readDerivedKeyId } from './device-key.ts'
import { openSecret, sealSecret } from './device-secret.ts'

const MASTER = Buffer.alloc(32, 7)
const SECRET = Buffer.alloc(32, 9)
const sealed = sealSecret(MASTER, 'd', 'i1', SECRET, Buffer.alloc(12, 1))
const changed = Buffer.from(sealed)
changed[20] = (changed[20] ?? 0) ^ 1

it('a sealed secret opens, and does not show what it is', () => {
  expect(openSecret(MASTER, 'd', 'i1', sealed)).toEqual(SECRET)
  expect(sealed.includes(SECRET.subarray(0, 8))).toBe(false)
})
describe('a sealed secret does not open', () => {
  it.each([
    ['with another master', Buffer.alloc(32, 8), 'd', 'i1', sealed],
    ['for another device', MASTER, 'e', 'i1', sealed],
    ['for another key', MASTER, 'd', 'i2', sealed],
    ['changed', MASTER, 'd', 'i1', changed],
    ['shortened', MASTER, 'd', 'i1', sealed.subarray(1)],
    ['empty', MASTER, 'd', 'i1', Buffer.alloc(0)],
  ])('%s', (_, master, deviceId, keyId, bytes) => expect(openSecret(master, deviceId, keyId, bytes)).toBeUndefined())
})

it.each([
  ['k1', { masterId: 'k1', number: 0 }],
  ['k1.12', { masterId: 'k1', number: 12 }],
  ['k1.0', undefined],
  ['k1.01', undefined],
  ['k1.1.1', undefined],
  ['.1', undefined],
])('the id %s of a derived key says %j', (keyId, expected) => expect(readDerivedKeyId(keyId)).toEqual(expected))

it('ids are ordered by their numbers', () =>
  expect(['k10', 'k2', 'k1', 'k1'].sort(byNumber)).toEqual(['k1', 'k1', 'k2', 'k10']))
