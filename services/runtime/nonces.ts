import type { Redis } from 'ioredis'
import type { Timed } from './database-metrics.ts'
import { createFastPath } from './fast-path.ts'
import { slotOf } from './redis.ts'

/** What was accepted under a nonce. */
export type NonceUse = { messageId: string; sha256Hex: string }

export type Nonces = {
  /** What this device's nonce was used for, or undefined when it is new or Redis cannot be asked. */
  read: (deviceId: string, nonce: string) => Promise<NonceUse | undefined>
  /** To be called only after the broker confirmed: earlier, a crash would turn a device's retry into a lost message. */
  write: (deviceId: string, nonce: string, use: NonceUse) => Promise<void>
}

/** Twice the accepted skew and a margin: afterwards the timestamp alone refuses a replay. */
const NONCE_MS = 900_000

const keyOf = (deviceId: string, nonce: string): string => `hmac_nonce:${slotOf(deviceId)}:${deviceId}:${nonce}`

/** @param bypassed told each time that Redis was not asked or did not answer */
export const createNonces = (redis: Redis, bypassed: () => void, timed: Timed): Nonces => {
  const fastPath = createFastPath(bypassed)
  return {
    read: async (deviceId, nonce) => {
      const value = await fastPath(() => timed('get', redis.get(keyOf(deviceId, nonce))))
      const [messageId, sha256Hex] = value?.split(':') ?? []
      return messageId === undefined || sha256Hex === undefined ? undefined : { messageId, sha256Hex }
    },
    write: async (deviceId, nonce, { messageId, sha256Hex }) => {
      const use = `${messageId}:${sha256Hex}`
      await fastPath(() => timed('set', redis.set(keyOf(deviceId, nonce), use, 'PX', NONCE_MS, 'NX')))
    },
  }
}
