/** How long to wait before the next try. */
export type Backoff = { nextMs: () => number }

/** The figures of client-go's reflector. */
const LOWEST_MS = 800
const HIGHEST_MS = 30_000
const RESET_MS = 120_000

/** Twice as long each time, with up to as much again by chance; what went well for 2 minutes starts anew. */
export const createBackoff = (nowMs: () => number, random: () => number): Backoff => {
  let nextMs = LOWEST_MS
  let endsAtMs = Number.NEGATIVE_INFINITY
  return {
    nextMs: () => {
      if (nowMs() - endsAtMs >= RESET_MS) nextMs = LOWEST_MS
      const delayMs = nextMs * (1 + random())
      nextMs = Math.min(HIGHEST_MS, nextMs * 2)
      endsAtMs = nowMs() + delayMs
      return delayMs
    },
  }
}
