export type BatchLimits = { items: number; bytes: number; lingerMs: number; inFlight: number }

export type Batcher<T> = {
  add: (item: T, bytes: number) => void
  /** Resolves when everything that was added has been handled; meanwhile nothing lingers. */
  drain: () => Promise<void>
}

/**
 * So many items must be expected within `lingerMs` for a batch to wait for them. Storing costs 430 us of CPU for a
 * message in batches of 20, 370 in batches of 40 and 220 in batches of 200 (docs/performance.md).
 */
const WORTH_WAITING_FOR = 32
/** The arrival rate is an average over about so long. */
const RATE_MS = 200

/** How many items come in a ms, from batches as they are taken: an average that forgets what is long ago. */
const createArrivalRate = () => {
  let perMs = 0
  let lastAt = performance.now()
  return {
    took: (count: number): void => {
      const elapsedMs = Math.max(1, performance.now() - lastAt)
      lastAt += elapsedMs
      perMs += (1 - Math.exp(-elapsedMs / RATE_MS)) * (count / elapsedMs - perMs)
    },
    perMs: () => perMs,
  }
}

/**
 * Collects items into batches, in order. While few come, they wait for nothing but what the same read of the socket
 * brings, so that a lone item is not held up. While many come, or batches are in flight, items gather until a limit is
 * reached or the oldest has waited `lingerMs`: larger batches cost less. No batch is over a limit, but for an item that
 * alone is over `bytes`.
 * @param handle must not throw
 */
export const createBatcher = <T>(limits: BatchLimits, handle: (items: T[]) => Promise<void>): Batcher<T> => {
  // Columns, not an object for each item: this runs for every message.
  const items: T[] = []
  const sizes: number[] = []
  const arrivals: number[] = []
  let bytes = 0
  let inFlight = 0
  let timer: NodeJS.Timeout | undefined
  let scheduled = false
  let drained: (() => void)[] = []

  const isFull = () => items.length >= limits.items || bytes >= limits.bytes
  const waitedMs = () => performance.now() - (arrivals[0] ?? Number.POSITIVE_INFINITY)
  const rate = createArrivalRate()
  const isWorthWaiting = () => rate.perMs() * limits.lingerMs >= WORTH_WAITING_FOR
  const isDue = () =>
    isFull() || drained.length > 0 || waitedMs() >= limits.lingerMs || (inFlight === 0 && !isWorthWaiting())

  /** The oldest items up to a limit, and at least one. */
  const take = (): T[] => {
    let count = 0
    let size = 0
    while (count < items.length && count < limits.items) {
      const next = size + (sizes[count] as number)
      if (count > 0 && next > limits.bytes) break
      size = next
      count++
    }
    bytes -= size
    rate.took(count)
    sizes.splice(0, count)
    arrivals.splice(0, count)
    return items.splice(0, count)
  }

  const flush = (): void => {
    clearTimeout(timer)
    timer = undefined
    while (items.length > 0 && inFlight < limits.inFlight && isDue()) {
      inFlight++
      void handle(take()).finally(() => {
        inFlight--
        schedule()
      })
    }
    // With all batches in flight the end of one comes first, and flushes.
    if (items.length > 0 && inFlight < limits.inFlight) timer = setTimeout(flush, limits.lingerMs - waitedMs())
    if (items.length === 0 && inFlight === 0) {
      for (const resolve of drained) resolve()
      drained = []
    }
  }

  const schedule = (): void => {
    if (scheduled) return
    scheduled = true
    setImmediate(() => {
      scheduled = false
      flush()
    })
  }

  return {
    add: (item, size) => {
      items.push(item)
      sizes.push(size)
      arrivals.push(performance.now())
      bytes += size
      schedule()
    },
    drain: () =>
      new Promise<void>((resolve) => {
        drained.push(resolve)
        schedule()
      }),
  }
}
