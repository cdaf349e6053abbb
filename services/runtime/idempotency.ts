import type { Redis } from 'ioredis'
import type { Timed } from './database-metrics.ts'
import { createFastPath } from './fast-path.ts'
import { SLOTS, slotOf } from './redis.ts'

export type MessageName = { deviceId: string; messageId: string }

/** What Redis knows of a message: nothing (and now it is ours), that it is stored, or that another is at work on it. */
export type Claim = 'claimed' | 'stored' | 'contended'

/** Remembers which messages are stored. It may forget or be away: the store's ids decide, this only saves work. */
export type Idempotency = {
  /**
   * Claims messages for 60 s and tells what is known of each, in order; one round trip. Only `stored` may be
   * acknowledged: who holds a claim may have crashed. Undefined when Redis cannot be asked.
   */
  claim: (messages: MessageName[]) => Promise<Claim[] | undefined>
  /** To be called only after the store confirmed by majority: earlier, a crash would lose the message. */
  markStored: (messages: (MessageName & { idHex: string })[]) => Promise<void>
}

const LEASE_MS = 60_000
const DONE_MS = 86_400_000

/** One call for a batch: 200 single commands cost three times as much CPU here and in Redis. */
const CLAIM = `
local answers = {}
for i, key in ipairs(KEYS) do
  local value = redis.call('GET', key)
  if not value then redis.call('SET', key, ARGV[1], 'PX', ARGV[2]) end
  if value and string.sub(value, 1, 2) == 'D:' then answers[i] = 1
  elseif value and value ~= ARGV[1] then answers[i] = 2
  else answers[i] = 0 end
end
return answers`
const STORED = `
for i, key in ipairs(KEYS) do redis.call('SET', key, ARGV[i + 1], 'PX', ARGV[1]) end`

type Scripts = {
  claimMessages: (count: number, ...keysAndArguments: string[]) => Promise<number[]>
  markMessages: (count: number, ...keysAndArguments: string[]) => Promise<unknown>
}

const CLAIMS: readonly Claim[] = ['claimed', 'stored', 'contended']

const keyOf = ({ deviceId, messageId }: MessageName): string => `idempotency:${slotOf(deviceId)}:${messageId}`

/**
 * @param owner names this process; a message that is delivered to it again is still its own
 * @param bypassed told each time that Redis was not asked or did not answer
 */
export const createIdempotency = (redis: Redis, owner: string, bypassed: () => void, timed: Timed): Idempotency => {
  redis.defineCommand('claimMessages', { lua: CLAIM })
  redis.defineCommand('markMessages', { lua: STORED })
  const scripts = redis as unknown as Scripts
  const fastPath = createFastPath(bypassed)
  return {
    claim: async (messages) => {
      const answers = await fastPath(() =>
        timed('claim', scripts.claimMessages(messages.length, ...messages.map(keyOf), `P:${owner}`, String(LEASE_MS))),
      )
      return answers?.map((answer) => CLAIMS[answer] ?? 'claimed')
    },
    markStored: async (messages) => {
      const values = messages.map(({ idHex }) => `D:${idHex}`)
      await fastPath(() =>
        timed('mark', scripts.markMessages(messages.length, ...messages.map(keyOf), String(DONE_MS), ...values)),
      )
    },
  }
}

/**
 * What Redis knows of a message when its device is not known: all slots are asked, in one round trip.
 * @returns the id that it is stored under, `claimed` while some process is at work on it, else undefined
 * @throws when Redis cannot be asked
 */
export const findClaim = async (
  redis: Redis,
  messageId: string,
): Promise<{ idHex: string } | 'claimed' | undefined> => {
  const pipeline = redis.pipeline()
  for (const slot of SLOTS) pipeline.get(`idempotency:${slot}:${messageId}`)
  const answers = (await pipeline.exec()) ?? []
  const failed = answers.find(([error]) => error !== null)?.[0]
  if (failed) throw failed
  const value = answers.map(([, answer]) => answer).find((answer) => typeof answer === 'string')
  if (value === undefined) return undefined
  return String(value).startsWith('D:') ? { idHex: String(value).slice(2) } : 'claimed'
}
