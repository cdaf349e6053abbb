import { TerminalError } from './errors.ts'
import { createRateLimit } from './rate-limit.ts'

/** controller-runtime's figures: what changes now goes before what is only looked at once more. */
export const LIVE = 0
export const ROUTINE = -100

export type WorkQueue = {
  /** Queues a key; one that waits already is not queued twice, one that is being worked on is worked on once more. */
  add: (key: string, priority?: number) => void
  addAfter: (key: string, delayMs: number, priority?: number) => void
  /** Begins to work; what was added before waits until then. */
  start: () => void
  state: () => QueueState
  /**
   * Takes no more keys and resolves when those in work are done, or after `limitMs`.
   * @returns the keys that were still in work then
   */
  close: (limitMs?: number) => Promise<string[]>
}

/** What a worker says of a key: done, or when to look again. What it throws is a failure, tried again with back-off. */
export type Done = { afterMs?: number } | undefined

export type QueueState = {
  /** Keys that wait, by priority. */
  waiting: Map<number, number>
  /** How long each key in work is worked on already. */
  workingSeconds: number[]
}

export type QueueMetrics = {
  added: () => void
  retried: () => void
  started: (waitedSeconds: number) => void
  finished: (workedSeconds: number) => void
}

/**
 * Half of what kubelet gives a pod. controller-runtime's 30 s are all of it, and a process that is killed while it
 * waits leaves its lease for others to wait for.
 */
const SHUTDOWN_LIMIT_MS = 15_000
/** The longest that Node's timers know; a longer delay would fire at once. */
const LONGEST_DELAY_MS = 2 ** 31 - 1

/**
 * A queue of keys with client-go's rules: a key is never worked on twice at once, what arrives while it is being worked
 * on is not lost, and a failing key does not keep the others waiting. Of the keys that wait, the highest priority goes
 * first, and within one the first that came.
 * @param failed told every failure; a TerminalError is not tried again
 */
export const createWorkQueue = (
  workers: number,
  work: (key: string) => Promise<Done>,
  failed: (key: string, error: Error) => void,
  metrics?: QueueMetrics,
): WorkQueue => {
  /** By priority, the keys that wait and since when; a key is in one of them only. */
  const waiting = new Map<number, Map<string, number>>()
  const priorityOf = new Map<string, number>()
  const working = new Map<string, number>()
  const again = new Map<string, number>()
  const timers = new Map<string, { timer: NodeJS.Timeout; dueAtMs: number }>()
  const limit = createRateLimit(() => performance.now())
  let phase: 'waiting' | 'working' | 'closing' = 'waiting'
  let emptied: (() => void) | undefined

  const enqueue = (key: string, priority: number, sinceMs: number): void => {
    const keys = waiting.get(priority) ?? new Map<string, number>()
    waiting.set(priority, keys.set(key, sinceMs))
    priorityOf.set(key, priority)
  }

  /** Takes a key out of those that wait. @returns since when it waited */
  const dequeue = (key: string, priority: number): number => {
    const keys = waiting.get(priority)
    const sinceMs = keys?.get(key) ?? performance.now()
    keys?.delete(key)
    if (keys?.size === 0) waiting.delete(priority)
    priorityOf.delete(key)
    return sinceMs
  }

  const next = (): [key: string, priority: number] | undefined => {
    if (waiting.size === 0) return undefined
    const priority = Math.max(...waiting.keys())
    const [key] = waiting.get(priority)?.keys() ?? []
    return key === undefined ? undefined : [key, priority]
  }

  const add = (key: string, priority = LIVE): void => {
    if (phase === 'closing') return
    if (working.has(key)) {
      if (!again.has(key)) metrics?.added()
      again.set(key, Math.max(priority, again.get(key) ?? priority))
      return
    }
    const known = priorityOf.get(key)
    if (known === undefined) {
      metrics?.added()
      enqueue(key, priority, performance.now())
    } else if (known < priority) enqueue(key, priority, dequeue(key, known))
    pump()
  }

  const addAfter = (key: string, delayMs: number, priority = LIVE): void => {
    const dueAtMs = performance.now() + delayMs
    const known = timers.get(key)
    if (phase === 'closing' || (known !== undefined && known.dueAtMs <= dueAtMs)) return
    clearTimeout(known?.timer)
    const timer = setTimeout(
      () => {
        timers.delete(key)
        add(key, priority)
      },
      Math.min(delayMs, LONGEST_DELAY_MS),
    )
    timers.set(key, { timer, dueAtMs })
  }

  const fail = (key: string, thrown: unknown): void => {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown))
    if (error instanceof TerminalError) limit.forget(key)
    else {
      metrics?.retried()
      addAfter(key, limit.delayMs(key))
    }
    failed(key, error)
  }

  const workOn = async (key: string): Promise<void> => {
    const startedAtMs = performance.now()
    working.set(key, startedAtMs)
    try {
      // A worker that throws before it returns a promise is a failure like any other.
      const done = await Promise.try(work, key)
      limit.forget(key)
      if (done?.afterMs !== undefined) addAfter(key, done.afterMs, ROUTINE)
    } catch (error) {
      fail(key, error)
    } finally {
      working.delete(key)
      metrics?.finished((performance.now() - startedAtMs) / 1000)
      const priority = again.get(key)
      if (again.delete(key) && phase !== 'closing') enqueue(key, priority ?? LIVE, performance.now())
      pump()
    }
  }

  const pump = (): void => {
    if (phase === 'closing' && working.size === 0) emptied?.()
    while (phase === 'working' && working.size < workers) {
      const found = next()
      if (found === undefined) return
      const sinceMs = dequeue(...found)
      metrics?.started((performance.now() - sinceMs) / 1000)
      void workOn(found[0])
    }
  }

  return {
    add,
    addAfter,
    start: () => {
      if (phase === 'waiting') phase = 'working'
      pump()
    },
    state: () => ({
      waiting: new Map([...waiting].map(([priority, keys]) => [priority, keys.size])),
      workingSeconds: [...working.values()].map((sinceMs) => (performance.now() - sinceMs) / 1000),
    }),
    close: async (limitMs = SHUTDOWN_LIMIT_MS) => {
      phase = 'closing'
      for (const { timer } of timers.values()) clearTimeout(timer)
      timers.clear()
      let late: NodeJS.Timeout | undefined
      await new Promise<void>((resolve) => {
        emptied = resolve
        late = setTimeout(resolve, limitMs)
        pump()
      })
      clearTimeout(late)
      return [...working.keys()]
    },
  }
}
