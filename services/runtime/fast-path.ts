/** Asks a store that may be away: the answer, or undefined when it cannot be asked now. */
export type FastPath = <T>(ask: () => Promise<T>) => Promise<T | undefined>

/** How long a store that failed is left alone: while it is slow or away, asking it would hold up every batch. */
const REST_MS = 1_000

/**
 * A circuit breaker around a store that only saves work. After a failure nobody asks for a second; then one asks, and
 * only its answer lets the others ask again.
 * @param bypassed told each time that the store was not asked or did not answer
 * @param nowMs a clock that does not go back
 */
export const createFastPath = (bypassed: () => void, nowMs: () => number = () => performance.now()): FastPath => {
  let restsUntil = 0
  let probing = false
  return async (ask) => {
    const resting = restsUntil > 0
    if (resting && (probing || nowMs() < restsUntil)) {
      bypassed()
      return undefined
    }
    probing = resting
    try {
      const answer = await ask()
      restsUntil = 0
      return answer
    } catch {
      restsUntil = nowMs() + REST_MS
      bypassed()
      return undefined
    } finally {
      if (resting) probing = false
    }
  }
}
