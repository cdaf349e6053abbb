import { createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { equalsHex, hmacSha256Hex } from './digest.ts'

const byNode = (key: Uint8Array, text: string): string => createHmac('sha256', key).update(text).digest('hex')

describe('HMAC-SHA256', () => {
  it.each([
    [
      'RFC 4231, 4.2',
      Buffer.alloc(20, 0x0b),
      'Hi There',
      'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7',
    ],
    [
      'RFC 4231, 4.3',
      Buffer.from('Jefe'),
      'what do ya want for nothing?',
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    ],
    [
      'RFC 4231, 4.7: a key longer than a block',
      Buffer.alloc(131, 0xaa),
      'Test Using Larger Than Block-Size Key - Hash Key First',
      '60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54',
    ],
  ])('is that of %s', (_, key, text, expected) => expect(hmacSha256Hex(key, text)).toBe(expected))

  it.each([0, 1, 32, 63, 64, 65, 200])('is that of node for a key of %i bytes and any text', (bytes) => {
    const key = Buffer.from(Array.from({ length: bytes }, (_, at) => (at * 37) % 256))
    for (const text of ['', 'a', 'XRAY1\nPOST', 'Überlänge €𝄞', '\ud800', 'x'.repeat(9_000)])
      expect(hmacSha256Hex(key, text)).toBe(byNode(key, text))
  })
})

describe('a received signature', () => {
  const right = hmacSha256Hex(Buffer.alloc(32, 7), 'text')
  it.each([
    ['the computed one is equal', right, true],
    ['another is not', right.replace(/.$/, (last) => (last === '0' ? '1' : '0')), false],
    ['one in upper case is not', right.toUpperCase(), false],
    ['one that is cut off is not', right.slice(0, 62), false],
    ['one with something behind it is not', `${right}\n`, false],
    ['nothing is not', '', false],
  ])('%s', (_, received, expected) => expect(equalsHex(right, received)).toBe(expected))
})
