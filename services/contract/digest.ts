import { createHash, createHmac, timingSafeEqual } from 'node:crypto'

/** SHA-256 of bytes (or of a string as UTF-8) as 64 lower-case hex digits. */
export const sha256Hex = (data: Uint8Array | string): string => createHash('sha256').update(data).digest('hex')

/** HMAC-SHA256 of a string as UTF-8, as 32 bytes. */
export const hmacSha256 = (key: Uint8Array, text: string): Buffer => createHmac('sha256', key).update(text).digest()

const HEX_OF_32_BYTES = /^[0-9a-f]{64}$/

/**
 * Compares a received lower-case hex signature with the computed bytes in constant time.
 * Anything but 64 lower-case hex digits is false at once: its length tells an attacker nothing.
 */
export const equalsHex = (computed: Buffer, receivedHex: string): boolean =>
  HEX_OF_32_BYTES.test(receivedHex) && timingSafeEqual(computed, Buffer.from(receivedHex, 'hex'))
