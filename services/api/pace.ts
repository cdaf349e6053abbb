/**
 * Spaces actions evenly: each call resolves when its turn comes, the first at once. Time that nobody used is not made
 * up for by a burst.
 */
export const createPace = (
  ratePerSecond: number,
  now: () => number,
  delay: (ms: number) => Promise<void>,
): (() => Promise<void>) => {
  let dueMs = now()
  return async () => {
    const atMs = Math.max(dueMs, now())
    dueMs = atMs + 1000 / ratePerSecond
    if (atMs > now()) await delay(atMs - now())
  }
}
