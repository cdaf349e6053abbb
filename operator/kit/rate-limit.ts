/** Says how long a failed key waits before it is tried again. */
export type RateLimit = {
  delayMs: (key: string) => number
  /** A key that succeeded starts anew. */
  forget: (key: string) => void
}

const LOWEST_MS = 250
const HIGHEST_MS = 60_000
const PER_SECOND = 10
const BURST = 100

/**
 * client-go's two limits, of which the longer one counts: per key, twice as long after each failure in a row; and over
 * all keys, a bucket of 100 that gets 10 a second, so that when everything fails at once the server gets its breath.
 *
 * 250 ms to 60 s instead of client-go's 5 ms to 1,000 s: what fails here is mostly outside of the cluster, does not
 * mend within milliseconds, and tells nobody when it is back, so that a quarter of an hour would be a quarter of an
 * hour of outage more.
 */
export const createRateLimit = (nowMs: () => number): RateLimit => {
  const failures = new Map<string, number>()
  let tokens = BURST
  let filledAtMs = nowMs()
  /** Takes a token that may be one of the future, and says when it is there. */
  const reserveMs = (): number => {
    const now = nowMs()
    tokens = Math.min(BURST, tokens + ((now - filledAtMs) / 1000) * PER_SECOND) - 1
    filledAtMs = now
    return tokens >= 0 ? 0 : (-tokens / PER_SECOND) * 1000
  }
  return {
    delayMs: (key) => {
      const count = failures.get(key) ?? 0
      failures.set(key, count + 1)
      return Math.max(Math.min(HIGHEST_MS, LOWEST_MS * 2 ** count), reserveMs())
    },
    forget: (key) => void failures.delete(key),
  }
}
