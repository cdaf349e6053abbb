import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Device,
  type DeviceKey,
  impliedDevice,
  isLive,
  mayVerify,
  nextDerivedKeyId,
  nextImportedKeyId,
  revokeKey,
  rotateKey,
} from './device-registry.ts'

const NOW = 1_000_000
const key = (change: Partial<DeviceKey> = {}): DeviceKey => ({
  keyId: 'k1',
  source: 'derived',
  notBeforeMs: 0,
  state: 'active',
  ...change,
})
const device = (...keys: DeviceKey[]): Device => ({ deviceId: 'd', disabled: false, keys })

describe('a key', () => {
  it.each<[string, Partial<DeviceKey>, boolean, boolean]>([
    ['that is active holds', {}, true, true],
    ['that is retiring holds until its end', { state: 'retiring', notAfterMs: NOW + 1 }, true, true],
    ['that has come to its end holds no more', { state: 'retiring', notAfterMs: NOW }, false, false],
    ['that begins now holds', { notBeforeMs: NOW }, true, true],
    ['that begins later is live but does not hold yet', { notBeforeMs: NOW + 1 }, true, false],
    ['that is revoked holds no more', { state: 'revoked' }, false, false],
  ])('%s', (_, change, live, verifies) => {
    expect(isLive(key(change), NOW)).toBe(live)
    expect(mayVerify(key(change), NOW)).toBe(verifies)
  })
})

it('a device that is not known has a key of each master', () =>
  expect(impliedDevice('d', ['k10', 'k9']).keys.map(({ keyId }) => keyId)).toEqual(['k9', 'k10']))

describe('the next derived key', () => {
  it.each<[string, DeviceKey[], string, string]>([
    ['is the first rotation of the same master', [key()], 'k1', 'k1.1'],
    ['is one above the highest, revoked ones included', [key({ keyId: 'k1.7', state: 'revoked' })], 'k1', 'k1.8'],
    ["is a new master's own when the device has none of it", [key()], 'k2', 'k2'],
    ['does not count imported ones that look like it', [key({ keyId: 'k1.7', source: 'imported' })], 'k1', 'k1'],
  ])('%s', (_, keys, masterId, expected) => expect(nextDerivedKeyId(device(...keys), masterId)).toBe(expected))
})

it('the next imported key is counted on', () => {
  expect(nextImportedKeyId(device(key()))).toBe('i1')
  expect(nextImportedKeyId(device(key({ keyId: 'i9' }), key({ keyId: 'i10' })))).toBe('i11')
})

describe('a rotation', () => {
  const times = { nowMs: NOW, retireAfterMs: 500 }
  const next = { keyId: 'k1.1', source: 'derived', notBeforeMs: NOW } as const
  const rotated = (keys: DeviceKey[], change: Partial<DeviceKey> = {}) =>
    rotateKey(device(...keys), { ...next, ...change }, times)
  const keysOf = (change: ReturnType<typeof rotateKey>) => (change.ok ? change.device.keys : change.detail)

  it('adds the new key and gives the former one an end', () =>
    expect(keysOf(rotated([key()]))).toEqual([
      key({ state: 'retiring', notAfterMs: NOW + 500 }),
      { ...next, state: 'active' },
    ]))
  it('counts the end from the beginning of the new key', () =>
    expect(keysOf(rotated([key()], { notBeforeMs: NOW + 100 }))[0]).toMatchObject({ notAfterMs: NOW + 600 }))
  it('never puts an end off', () =>
    expect(keysOf(rotated([key({ notAfterMs: NOW + 5 })]))[0]).toMatchObject({ notAfterMs: NOW + 5 }))
  it('leaves dead keys as they are', () => {
    const dead = key({ keyId: 'x', source: 'imported', state: 'revoked' })
    expect(keysOf(rotated([dead]))[0]).toEqual(dead)
  })
  it.each<[string, DeviceKey[], Partial<DeviceKey>, string]>([
    ['a third live key', [key(), key({ keyId: 'k2' })], {}, 'found k1 and k2: revoke one first'],
    ['a third that lies ahead', [key(), key({ keyId: 'k2', notBeforeMs: NOW + 9 })], {}, 'fewer than 2 live keys'],
    ['an id that the device has', [key({ keyId: 'k1.1', state: 'revoked' })], {}, 'an id that the device never had'],
    ['an id that may be forgotten', [key({ keyId: 'k1.2', state: 'revoked' })], {}, 'never had'],
    ['an imported id twice', [key({ keyId: 'i1', source: 'imported' })], { keyId: 'i1', source: 'imported' }, 'never'],
  ])('refuses %s', (_, keys, change, detail) =>
    expect(rotated(keys, change)).toMatchObject({
      ok: false,
      code: 'conflict',
      detail: expect.stringContaining(detail.replace('an id that the device ', '')),
    }),
  )

  it('after rotation, revocation and time in any order there are at most two live keys, and no id comes twice', () =>
    fc.assert(
      fc.property(
        fc.array(
          fc.record({ wish: fc.constantFrom('derived', 'imported', 'revoke'), pick: fc.nat(20), ms: fc.nat(400) }),
          {
            maxLength: 60,
          },
        ),
        (steps) => {
          let [now, known] = [NOW, impliedDevice('d', ['k1'])]
          const given = new Set(known.keys.map(({ keyId }) => keyId))
          for (const { wish, pick, ms } of steps) {
            now += ms
            const listed = known.keys[pick % known.keys.length]?.keyId ?? ''
            const keyId = wish === 'derived' ? nextDerivedKeyId(known, 'k1') : nextImportedKeyId(known)
            const change =
              wish === 'revoke'
                ? revokeKey(known, listed)
                : rotateKey(known, { keyId, source: wish, notBeforeMs: now }, { nowMs: now, retireAfterMs: 500 })
            if (!change.ok) continue
            if (wish === 'derived') expect(given).not.toContain(keyId)
            if (wish === 'derived') given.add(keyId)
            known = change.device
            expect(known.keys.filter((each) => isLive(each, now)).length).toBeLessThanOrEqual(2)
            expect(known.keys.length).toBeLessThanOrEqual(17)
          }
        },
      ),
    ))
})

describe('a revocation', () => {
  it('ends the key for good, and again changes nothing', () => {
    const once = revokeKey(device(key(), key({ keyId: 'k2' })), 'k1')
    expect(once).toEqual({ ok: true, device: device(key({ state: 'revoked' }), key({ keyId: 'k2' })) })
    if (once.ok) expect(revokeKey(once.device, 'k1')).toEqual(once)
  })
  it('of a key that is not there says so', () =>
    expect(revokeKey(device(key()), 'k9')).toMatchObject({ ok: false, code: 'not_found' }))
})
