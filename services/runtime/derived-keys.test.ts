import { expect, it } from 'vitest'
import { deriveDeviceKey } from '#contract/device-key.ts'
import { createDerivedKeys, type DerivedKeys } from './derived-keys.ts'

const MASTER = Buffer.alloc(32, 7)
const OTHER_MASTER = Buffer.alloc(32, 8)

/** The key that was judged with, by a judge that says `verified`; the same Buffer again when it was remembered. */
const judged = (keys: DerivedKeys, device: string, verified = true, master = MASTER): Buffer => {
  const seen: Buffer[] = []
  const answer = keys.verify(master, device, 'k1', (deviceKey) => {
    seen.push(deviceKey)
    return verified
  })
  expect(answer).toBe(verified)
  expect(seen).toHaveLength(1)
  return seen[0] as Buffer
}

it('the key is the one that the contract derives, the first time and the second', () => {
  const keys = createDerivedKeys(10)
  for (const master of [MASTER, MASTER, OTHER_MASTER, MASTER])
    expect(judged(keys, 'a', true, master)).toEqual(deriveDeviceKey(master, 'a', 'k1'))
})

it('a key that verified is remembered, also when the same master key is read again', () => {
  const keys = createDerivedKeys(10)
  const first = judged(keys, 'a')
  expect(judged(keys, 'a', true, Buffer.from(MASTER))).toBe(first)
})

it('a key that did not verify is not remembered', () => {
  const keys = createDerivedKeys(10)
  expect(judged(keys, 'a', false)).not.toBe(judged(keys, 'a'))
})

it('a wrong signature does not make a remembered key forgotten', () => {
  const keys = createDerivedKeys(10)
  const first = judged(keys, 'a')
  judged(keys, 'a', false)
  expect(judged(keys, 'a')).toBe(first)
})

it('no signature verifies without a master key, not even one made with the key that stands in for it', () => {
  const keys = createDerivedKeys(10)
  expect(keys.verify(undefined, 'a', 'k1', () => true)).toBe(false)
  judged(keys, 'a')
  expect(keys.verify(undefined, 'a', 'k1', () => true)).toBe(false)
})

it('a device has a key for each key id', () => {
  const keys = createDerivedKeys(10)
  const first = judged(keys, 'a')
  keys.verify(MASTER, 'a', 'k2', (deviceKey) => {
    expect(deviceKey).toEqual(deriveDeviceKey(MASTER, 'a', 'k2'))
    return true
  })
  expect(judged(keys, 'a')).toBe(first)
})

it('the key that was not used for longest is forgotten when there are too many', () => {
  const keys = createDerivedKeys(2)
  const [a, b] = [judged(keys, 'a'), judged(keys, 'b')]
  expect(judged(keys, 'a')).toBe(a)
  judged(keys, 'c')
  expect(judged(keys, 'a')).toBe(a)
  expect(judged(keys, 'b')).not.toBe(b)
})
