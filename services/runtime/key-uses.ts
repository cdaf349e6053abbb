import type { DeviceRegistry } from './device-registry.ts'
import type { Logger } from './log.ts'

/** Counts how often each key of each device was used, so that one that nobody uses any more is seen to be safe to end. */
export type KeyUses = {
  count: (deviceId: string, keyId: string, nowMs: number) => void
  /** Writes what was counted and stops. */
  close: () => Promise<void>
}

const FLUSH_MS = 10_000
const MOST_IN_ONE_WRITE = 1_000
/** What a store that is away may cost in memory, about 20 MB. Further keys are not counted until it is back. */
const MOST_KEYS = 100_000

/**
 * Counts in memory and writes in bulk. A write whose answer is lost is repeated: it is then counted twice, which keeps a
 * key that is used from looking unused; the other way round would be harm.
 */
export const countKeyUses = (
  registry: Pick<DeviceRegistry, 'addUses'>,
  log: Logger,
  { flushMs, mostKeys } = { flushMs: FLUSH_MS, mostKeys: MOST_KEYS },
): KeyUses => {
  let counted = new Map<string, { uses: number; lastUsedAtMs: number }>()
  let away = false

  const add = (id: string, uses: number, atMs: number): void => {
    const use = counted.get(id)
    if (use === undefined) {
      if (counted.size < mostKeys) counted.set(id, { uses, lastUsedAtMs: atMs })
    } else {
      use.uses += uses
      use.lastUsedAtMs = Math.max(use.lastUsedAtMs, atMs)
    }
  }

  const flush = async (): Promise<void> => {
    const taken = [...counted]
    counted = new Map()
    for (let at = 0; at < taken.length; at += MOST_IN_ONE_WRITE) {
      const part = taken.slice(at, at + MOST_IN_ONE_WRITE)
      try {
        await registry.addUses(
          part.map(([_id, { uses, lastUsedAtMs }]) => ({ _id, uses, lastUsedAt: new Date(lastUsedAtMs) })),
        )
        away = false
      } catch (error) {
        if (!away) log.warn({ err: error }, 'the uses of keys cannot be written; they are kept and tried again')
        away = true
        for (const [id, { uses, lastUsedAtMs }] of taken.slice(at)) add(id, uses, lastUsedAtMs)
        return
      }
    }
  }

  let running = Promise.resolve()
  let timer: NodeJS.Timeout | undefined
  const later = (): void => {
    timer = setTimeout(() => {
      running = flush().then(later)
    }, flushMs)
  }
  later()
  return {
    count: (deviceId, keyId, nowMs) => add(`${deviceId}|${keyId}`, 1, nowMs),
    close: async () => {
      clearTimeout(timer)
      await running
      clearTimeout(timer)
      await flush()
    },
  }
}
