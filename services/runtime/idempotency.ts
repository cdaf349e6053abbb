import type { Redis } from 'ioredis'
import { slotOf } from './redis.ts'

export type MessageName = { deviceId: string; messageId: string }

/** Remembers which messages are stored. It may forget or be away: the store's ids decide, this only saves work. */
export type Idempotency = {
  /** Of these messages, those known to be stored, by message id. One round trip. */
  stored: (messages: MessageName[]) => Promise<Set<string>>
  /** To be called only after the store confirmed by majority: earlier, a crash would lose the message. */
  markStored: (messages: (MessageName & { idHex: string })[]) => Promise<void>
}

const DONE_MS = 86_400_000

const keyOf = ({ deviceId, messageId }: MessageName): string => `idempotency:${slotOf(deviceId)}:${messageId}`

/** @param bypassed told each time that Redis could not be asked */
export const createIdempotency = (redis: Redis, bypassed: () => void): Idempotency => ({
  stored: async (messages) => {
    const pipeline = redis.pipeline()
    for (const message of messages) pipeline.get(keyOf(message))
    const answers = await pipeline.exec().catch(() => null)
    if (answers === null || answers.some(([error]) => error !== null)) bypassed()
    return new Set(
      messages.flatMap(({ messageId }, i) => (String(answers?.[i]?.[1] ?? '').startsWith('D:') ? [messageId] : [])),
    )
  },
  markStored: async (messages) => {
    const pipeline = redis.pipeline()
    for (const message of messages) pipeline.set(keyOf(message), `D:${message.idHex}`, 'PX', DONE_MS)
    await pipeline.exec().catch(bypassed)
  },
})
