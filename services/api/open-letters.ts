import type { ReasonCount } from '#runtime/dead-letter-store.ts'

/**
 * Counts open dead letters, at most once in so many ms whoever asks: health is asked by anybody, and a count is work
 * for the store.
 */
export const createOpenLetters = (count: () => Promise<ReasonCount[]>, now: () => number, maxAgeMs: number) => {
  let last: { atMs: number; counts: Promise<ReasonCount[]> } | undefined
  const counts = (): Promise<ReasonCount[]> => {
    if (last !== undefined && now() - last.atMs < maxAgeMs) return last.counts
    last = { atMs: now(), counts: count() }
    return last.counts
  }
  return {
    counts,
    /** How many there are, or undefined while the store does not say. */
    total: (): Promise<number | undefined> =>
      counts().then(
        (rows) => rows.reduce((sum, row) => sum + row.count, 0),
        () => undefined,
      ),
  }
}
