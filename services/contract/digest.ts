import { hash, timingSafeEqual } from 'node:crypto'

/** SHA-256 of bytes (or of a string as UTF-8) as 64 lower-case hex digits. */
export const sha256Hex = (data: Uint8Array | string): string => hash('sha256', data, 'hex')

/** What SHA-256 takes at once, and what HMAC makes of a key (RFC 2104). */
const BLOCK_BYTES = 64
const DIGEST_BYTES = 32
const [INNER_PAD, OUTER_PAD] = [0x36, 0x5c]

/**
 * HMAC-SHA256 (RFC 2104) of a string as UTF-8, as 64 lower-case hex digits. By node's one-shot hash, because createHmac
 * makes two objects outside of the heap for each call, which costs more than the digest: measured on Node 24 for 230
 * bytes, 1.4 us of CPU instead of 6 us with createHmac and 16 us when the key is not a KeyObject.
 */
export const hmacSha256Hex = (key: Uint8Array, text: string): string => {
  const short = key.length > BLOCK_BYTES ? Buffer.from(sha256Hex(key), 'hex') : key
  const inner = Buffer.allocUnsafe(BLOCK_BYTES + Buffer.byteLength(text))
  const outer = Buffer.allocUnsafe(BLOCK_BYTES + DIGEST_BYTES)
  for (let at = 0; at < BLOCK_BYTES; at++) {
    const byte = short[at] ?? 0
    inner[at] = byte ^ INNER_PAD
    outer[at] = byte ^ OUTER_PAD
  }
  inner.write(text, BLOCK_BYTES)
  outer.write(sha256Hex(inner), BLOCK_BYTES, 'hex')
  return sha256Hex(outer)
}

const HEX_OF_32_BYTES = /^[0-9a-f]{64}$/

/**
 * Compares a received lower-case hex signature with the computed one in constant time.
 * Anything but 64 lower-case hex digits is false at once: its length tells an attacker nothing.
 */
export const equalsHex = (computedHex: string, receivedHex: string): boolean =>
  HEX_OF_32_BYTES.test(receivedHex) && timingSafeEqual(Buffer.from(computedHex), Buffer.from(receivedHex))
