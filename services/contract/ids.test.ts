import { expect, it } from 'vitest'
import { sha256Hex } from './digest.ts'
import { messageIdFor, objectIdHexFor } from './ids.ts'

const NONCE = '3q2-7wAAAAAAAAAAAAAAAQ'

it('devices whose names collide in a 32-bit hash have messages of their own', () =>
  // "Aa" and "BB" are the same to Java's string hash, by which the predecessor told messages apart.
  expect(messageIdFor('Aa', NONCE, sha256Hex('{}'))).not.toBe(messageIdFor('BB', NONCE, sha256Hex('{}'))))

it.each([
  ['bodies', messageIdFor('d', NONCE, sha256Hex('a')), messageIdFor('d', NONCE, sha256Hex('b'))],
  ['nonces', messageIdFor('d', NONCE, sha256Hex('a')), messageIdFor('d', `${NONCE}A`, sha256Hex('a'))],
])('two recordings of one device and one moment are two signals when their %s differ', (_, first, second) =>
  expect(objectIdHexFor(1_735_683_480_000, first)).not.toBe(objectIdHexFor(1_735_683_480_000, second)),
)

it('a message has one id however often it is sent', () =>
  expect(messageIdFor('d', NONCE, sha256Hex('a'))).toBe(messageIdFor('d', NONCE, sha256Hex('a'))))
