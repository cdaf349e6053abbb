export type WorkQueue = {
  /** Queues a key; one that waits already is not queued twice, one that is being worked on is worked on once more. */
  add: (key: string) => void
  addAfter: (key: string, delayMs: number) => void
  depth: () => number
  /** Takes no more keys and resolves when those in work are done. */
  close: () => Promise<void>
}

/** What a worker says of a key: done, or when to look again. What it throws is a failure, tried again with back-off. */
export type Done = { afterMs?: number } | undefined

const LOWEST_BACKOFF_MS = 250
const HIGHEST_BACKOFF_MS = 60_000

/**
 * A queue of keys with client-go's rules: a key is never worked on twice at once, and what arrives while it is being
 * worked on is not lost. Failures of one key wait twice as long each time; other keys do not wait for them.
 */
export const createWorkQueue = (
  workers: number,
  work: (key: string) => Promise<Done>,
  failed: (key: string, error: Error) => void,
): WorkQueue => {
  const waiting = new Set<string>()
  const working = new Set<string>()
  const again = new Set<string>()
  const timers = new Map<string, { timer: NodeJS.Timeout; dueAt: number }>()
  const failures = new Map<string, number>()
  let closed: (() => void) | undefined
  let closing = false

  const addAfter = (key: string, delayMs: number): void => {
    const dueAt = performance.now() + delayMs
    const known = timers.get(key)
    if (closing || (known !== undefined && known.dueAt <= dueAt)) return
    clearTimeout(known?.timer)
    const timer = setTimeout(() => {
      timers.delete(key)
      add(key)
    }, delayMs)
    timers.set(key, { timer, dueAt })
  }

  const workOn = async (key: string): Promise<void> => {
    try {
      const done = await work(key)
      failures.delete(key)
      if (done?.afterMs !== undefined) addAfter(key, done.afterMs)
    } catch (error) {
      const count = failures.get(key) ?? 0
      failures.set(key, count + 1)
      failed(key, error as Error)
      addAfter(key, Math.min(HIGHEST_BACKOFF_MS, LOWEST_BACKOFF_MS * 2 ** count))
    } finally {
      working.delete(key)
      if (again.delete(key)) waiting.add(key)
      pump()
    }
  }

  const pump = (): void => {
    if (closing) {
      if (working.size === 0) closed?.()
      return
    }
    for (const key of waiting) {
      if (working.size >= workers) return
      waiting.delete(key)
      working.add(key)
      void workOn(key)
    }
  }

  const add = (key: string): void => {
    if (working.has(key)) again.add(key)
    else waiting.add(key)
    pump()
  }

  return {
    add,
    addAfter,
    depth: () => waiting.size,
    close: () => {
      closing = true
      for (const { timer } of timers.values()) clearTimeout(timer)
      return new Promise((resolve) => {
        closed = resolve
        pump()
      })
    },
  }
}
