import { sha256Hex } from './digest.ts'

/** A device's name: 24 lower-case hex digits. */
export const DEVICE_ID = /^[0-9a-f]{24}$/

/** A message's name: 32 lower-case hex digits. */
export const MESSAGE_ID = /^[0-9a-f]{32}$/

/**
 * The name of a message: the same device, nonce and body always give the same one, so that a device may retry.
 * @returns 32 lower-case hex digits
 */
export const messageIdFor = (deviceId: string, nonce: string, bodySha256Hex: string): string =>
  sha256Hex(`${deviceId}\n${nonce}\n${bodySha256Hex}`).slice(0, 32)

/**
 * The `_id` of the signal, of its GridFS file and of its only chunk, as 24 hex digits:
 * the recording's second (uint32, big endian) and the first 8 bytes of SHA-256(messageId as ASCII).
 * It grows with time, so inserts stay at the right edge of the `_id` index, and it needs no second unique index.
 * @param timestampMs ms since the epoch, below 2^32 seconds
 * @throws RangeError when it is not: past the year 2106 no id can be made of it
 */
export const objectIdHexFor = (timestampMs: number, messageId: string): string => {
  const seconds = Math.floor(timestampMs / 1000)
  if (!(seconds >= 0 && seconds < 2 ** 32))
    throw new RangeError(`timestamp: expected seconds below 2^32, got ${seconds}`)
  return seconds.toString(16).padStart(8, '0') + sha256Hex(messageId).slice(0, 16)
}
