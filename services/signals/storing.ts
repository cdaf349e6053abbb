import type { Entry, Stored } from '#runtime/signal-store.ts'

/** What became of an entry; `failed` when it alone is refused by a store that serves. */
export type Storing = Stored | { failed: string }

export type StoringContext = {
  /** Stores entries all together; throws when the store is away or did not confirm. */
  store: (entries: Entry[]) => Promise<Stored[]>
  /** True when the store answers and takes writes. Asked only after one has failed. */
  alive: () => Promise<boolean>
  /** Takes no more messages, waits until the store answers, and takes them again. */
  outage: (error: Error) => Promise<void>
}

/**
 * Stores a batch, whatever happens. An outage is not the messages' fault: it is waited for and spends no attempt.
 * When the store serves and refuses the batch all the same, it is halved until the entry that is to blame stands alone.
 * Repeating is safe: an entry that was stored before is found to be a duplicate.
 */
export const storeAll = async (context: StoringContext, entries: Entry[]): Promise<Storing[]> => {
  if (entries.length === 0) return []
  try {
    return await context.store(entries)
  } catch (error) {
    if (!(await context.alive())) {
      await context.outage(error as Error)
      return storeAll(context, entries)
    }
    if (entries.length === 1) return [{ failed: (error as Error).message }]
    const half = entries.length >> 1
    return [...(await storeAll(context, entries.slice(0, half))), ...(await storeAll(context, entries.slice(half)))]
  }
}
