/** What everything behind the pods can take, once more pods were seen to bring no more throughput. */
export type Downstream = { strikes: number; perSecond: number; seenMs: number }

/** So much less than the pods could do alone is a limit that they share. */
const INEFFECTIVE = 0.6
/** At so much of it they are the limit again. */
const EFFECTIVE = 0.9
const STRIKES = 2
/** A limit is as high at the second look as at the first; what has fallen by more is on its way to nothing. */
const LASTING = 0.6
/** Looks that are nearer to each other may see the same figures (`collect_statistics_interval`). */
const APART_MS = 4_900
const HOLD_MS = 300_000

const isKnown = (downstream: Downstream | undefined, nowMs: number): downstream is Downstream =>
  downstream !== undefined && downstream.strikes >= STRIKES && nowMs - downstream.seenMs <= HOLD_MS

/**
 * Takes one more look at the pods while they were busy all the time. Pods that stall do less from look to look: that is
 * no limit, and ending them would only cost what they hold.
 * @param totalPerSecond what they did
 * @param possiblePerSecond what so many would do if nothing else limited them
 */
export const watchDownstream = (
  before: Downstream | undefined,
  totalPerSecond: number,
  possiblePerSecond: number,
  nowMs: number,
): Downstream | undefined => {
  const [part, known] = [totalPerSecond / possiblePerSecond, isKnown(before, nowMs)]
  if (part < INEFFECTIVE) {
    const first = { strikes: 1, perSecond: totalPerSecond, seenMs: nowMs }
    if (before === undefined) return first
    if (totalPerSecond < LASTING * before.perSecond) return known ? before : first
    if (nowMs - before.seenMs < APART_MS) return before
    return { ...first, strikes: before.strikes + 1 }
  }
  // With the few pods that the limit leaves the part is above the first bound, and still the limit is what counts.
  if (part < EFFECTIVE && before !== undefined && known) return { ...before, perSecond: totalPerSecond, seenMs: nowMs }
  return undefined
}

/** Messages a second, all pods together, beyond which more pods are useless; undefined while no limit is known. */
export const downstreamRate = (downstream: Downstream | undefined, nowMs: number): number | undefined =>
  isKnown(downstream, nowMs) ? downstream.perSecond : undefined
