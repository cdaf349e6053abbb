/** What everything behind the pods can take, once more pods were seen to bring no more throughput. */
export type Downstream = { strikes: number; perSecond: number; seenMs: number }

/** So much less than the pods could do alone is a limit that they share. */
const INEFFECTIVE = 0.6
/** At so much of it they are the limit again. */
const EFFECTIVE = 0.9
const STRIKES = 2
const HOLD_MS = 300_000

/**
 * Takes one more look at the pods while they were busy all the time.
 * @param totalPerSecond what they did
 * @param possiblePerSecond what so many would do if nothing else limited them
 */
export const watchDownstream = (
  before: Downstream | undefined,
  totalPerSecond: number,
  possiblePerSecond: number,
  nowMs: number,
): Downstream | undefined => {
  const part = totalPerSecond / possiblePerSecond
  if (part < INEFFECTIVE) return { strikes: (before?.strikes ?? 0) + 1, perSecond: totalPerSecond, seenMs: nowMs }
  // With the few pods that the limit leaves the part is above the first bound, and still the limit is what counts.
  if (part < EFFECTIVE && before !== undefined && before.strikes >= STRIKES)
    return { ...before, perSecond: totalPerSecond, seenMs: nowMs }
  return undefined
}

/** Messages a second, all pods together, beyond which more pods are useless; undefined while no limit is known. */
export const downstreamRate = (downstream: Downstream | undefined, nowMs: number): number | undefined =>
  downstream !== undefined && downstream.strikes >= STRIKES && nowMs - downstream.seenMs <= HOLD_MS
    ? downstream.perSecond
    : undefined
