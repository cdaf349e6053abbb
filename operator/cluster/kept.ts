/** Values that were read once and are read anew in the background, at a pace that does not grow with their number. */
export type Kept<T> = {
  /**
   * The value of a key: at once when it is known, however old; else read, by one for all who ask meanwhile.
   * @throws what `read` throws for a key that is not known, and once reading it anew has found it lost
   */
  get: (key: string, read: () => Promise<T>) => Promise<T>
  /** Tells a value that is known from elsewhere. */
  set: (key: string, value: T) => void
  /** Tells a value that was so some time ago: good enough for a key that is not known, and read anew in its turn. */
  presume: (key: string, value: T) => void
  forget: (key: string) => void
}

type Entry<T> = { value: Promise<T>; atMs: number; askedAtMs: number }

/** Together with a polling interval before and one after, a change is seen within a minute. */
const FRESH_MS = 45_000
/** Each client has its own, so this is what a controller costs the server at most, whatever it keeps. */
const READS_PER_SECOND = 10
const BURST = 20
/** A value that nobody has asked for in so long is forgotten. */
const UNASKED_MS = 600_000

/**
 * Reads each value when it is first asked for, and again when it is asked for after 45 s: nobody waits for the second
 * read, and there are ten such a second at most, in the order in which they fell due. So up to some 450 values are a
 * minute old at most; of 10,000 each is looked at every 17 minutes.
 * @param isLost true of an error that says that the value is gone; others leave it as it was, until the next turn
 */
export const createKept = <T>(isLost: (error: unknown) => boolean, nowMs: () => number): Kept<T> => {
  const known = new Map<string, Entry<T>>()
  const due = new Map<string, () => Promise<T>>()
  let tokens = BURST
  let filledAtMs = nowMs()
  let sweptAtMs = nowMs()

  const sweep = (): void => {
    if (nowMs() - sweptAtMs < UNASKED_MS) return
    sweptAtMs = nowMs()
    for (const [key, { askedAtMs }] of known) if (nowMs() - askedAtMs > UNASKED_MS) known.delete(key)
  }

  const load = (key: string, read: () => Promise<T>): Promise<T> => {
    sweep()
    const entry = { value: read(), atMs: nowMs(), askedAtMs: nowMs() }
    known.set(key, entry)
    entry.value.catch(() => {
      if (known.get(key) === entry) known.delete(key)
    })
    return entry.value
  }

  const refresh = (key: string, entry: Entry<T>, read: () => Promise<T>): void => {
    entry.atMs = nowMs()
    read().then(
      (value) => {
        if (known.get(key) === entry) entry.value = Promise.resolve(value)
      },
      (error) => {
        if (known.get(key) === entry && isLost(error)) known.delete(key)
      },
    )
  }

  const refreshDue = (): void => {
    tokens = Math.min(BURST, tokens + ((nowMs() - filledAtMs) / 1000) * READS_PER_SECOND)
    filledAtMs = nowMs()
    for (const [key, read] of due) {
      if (tokens < 1) return
      due.delete(key)
      const entry = known.get(key)
      if (entry === undefined) continue
      tokens--
      refresh(key, entry, read)
    }
  }

  const tell = (key: string, value: T, atMs: number): void =>
    void known.set(key, { value: Promise.resolve(value), atMs, askedAtMs: nowMs() })

  return {
    get: (key, read) => {
      const entry = known.get(key)
      if (entry === undefined) return load(key, read)
      entry.askedAtMs = nowMs()
      if (nowMs() - entry.atMs >= FRESH_MS && !due.has(key)) due.set(key, read)
      refreshDue()
      return entry.value
    },
    set: (key, value) => tell(key, value, nowMs()),
    presume: (key, value) => {
      if (!known.has(key)) tell(key, value, nowMs() - FRESH_MS)
    },
    forget: (key) => void known.delete(key),
  }
}
