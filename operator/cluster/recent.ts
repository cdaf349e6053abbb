/** Values by key that stay as long as somebody asks for them. */
export type Recent<T> = {
  get: (key: string) => T | undefined
  set: (key: string, value: T) => void
  delete: (key: string) => void
  values: () => Iterable<T>
}

/** Twice the longest polling interval: of a broker or a server that was not asked for so long the pipelines are gone. */
const UNASKED_MS = 600_000
const SWEEP_MS = 60_000

/**
 * Values that are forgotten once nobody has asked for them in ten minutes, at the next call within a minute: brokers and
 * servers come and go with the pipelines that name them, and the operator stays.
 * @param dropped told each value that is forgotten so; not one that is replaced or deleted
 */
export const createRecent = <T>(nowMs: () => number, dropped: (value: T) => void = () => undefined): Recent<T> => {
  const entries = new Map<string, { value: T; askedAtMs: number }>()
  let sweptAtMs = nowMs()
  const sweep = (): void => {
    if (nowMs() - sweptAtMs < SWEEP_MS) return
    sweptAtMs = nowMs()
    for (const [key, { value, askedAtMs }] of entries) {
      if (sweptAtMs - askedAtMs < UNASKED_MS) continue
      entries.delete(key)
      dropped(value)
    }
  }
  return {
    get: (key) => {
      sweep()
      const entry = entries.get(key)
      if (entry !== undefined) entry.askedAtMs = nowMs()
      return entry?.value
    },
    set: (key, value) => void entries.set(key, { value, askedAtMs: nowMs() }),
    delete: (key) => void entries.delete(key),
    values: () => [...entries.values()].map(({ value }) => value),
  }
}
