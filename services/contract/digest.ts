import { createHmac, createSecretKey, hash, timingSafeEqual } from 'node:crypto'

/** SHA-256 of bytes (or of a string as UTF-8) as 64 lower-case hex digits. */
export const sha256Hex = (data: Uint8Array | string): string => hash('sha256', data, 'hex')

/**
 * HMAC-SHA256 of a string as UTF-8, as 32 bytes. The key goes in as a KeyObject because node's createHmac spends 10 us
 * more on bytes (measured on Node 24: 12.3 us, against 0.4 us for createSecretKey and 1.6 us for the HMAC).
 */
export const hmacSha256 = (key: Uint8Array, text: string): Buffer =>
  createHmac('sha256', createSecretKey(key)).update(text).digest()

const HEX_OF_32_BYTES = /^[0-9a-f]{64}$/

/**
 * Compares a received lower-case hex signature with the computed bytes in constant time.
 * Anything but 64 lower-case hex digits is false at once: its length tells an attacker nothing.
 */
export const equalsHex = (computed: Buffer, receivedHex: string): boolean =>
  HEX_OF_32_BYTES.test(receivedHex) && timingSafeEqual(computed, Buffer.from(receivedHex, 'hex'))
