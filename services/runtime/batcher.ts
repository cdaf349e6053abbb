export type BatchLimits = { items: number; bytes: number; lingerMs: number; inFlight: number }

export type Batcher<T> = {
  add: (item: T, bytes: number) => void
  /** Resolves when everything that was added has been handled. */
  drain: () => Promise<void>
}

/**
 * Collects items into batches. While nothing is being handled it waits for nothing but what the same read of the
 * socket brings, so a lone item is not held up; while batches are in flight, items gather until a limit is reached or
 * the oldest has waited `lingerMs`.
 * @param handle must not throw
 */
export const createBatcher = <T>(limits: BatchLimits, handle: (items: T[]) => Promise<void>): Batcher<T> => {
  const items: { item: T; bytes: number }[] = []
  let bytes = 0
  let inFlight = 0
  let due = false
  let timer: NodeJS.Timeout | undefined
  let scheduled = false
  let drained: (() => void)[] = []

  const isFull = () => items.length >= limits.items || bytes >= limits.bytes

  /** The oldest items up to a limit, and at least one. */
  const take = () => {
    let [count, size] = [0, 0]
    for (const item of items) {
      if (count > 0 && (count >= limits.items || size + item.bytes > limits.bytes)) break
      count++
      size += item.bytes
    }
    bytes -= size
    return items.splice(0, count)
  }

  const flush = (): void => {
    while (items.length > 0 && inFlight < limits.inFlight && (inFlight === 0 || due || isFull())) {
      const batch = take()
      due = false
      clearTimeout(timer)
      timer = undefined
      inFlight++
      void handle(batch.map(({ item }) => item)).finally(() => {
        inFlight--
        schedule()
      })
    }
    if (items.length === 0 && inFlight === 0) {
      for (const resolve of drained) resolve()
      drained = []
    }
  }

  const schedule = (): void => {
    if (!scheduled)
      setImmediate(() => {
        scheduled = false
        flush()
      })
    scheduled = true
    timer ??= setTimeout(() => {
      timer = undefined
      due = true
      flush()
    }, limits.lingerMs)
  }

  return {
    add: (item, size) => {
      items.push({ item, bytes: size })
      bytes += size
      schedule()
    },
    drain: () => {
      const done = new Promise<void>((resolve) => drained.push(resolve))
      schedule()
      return done
    },
  }
}
