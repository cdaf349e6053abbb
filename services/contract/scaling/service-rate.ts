import { hasPause, isSound, lately, rateOver, type Sample } from './sample.ts'

/** What one of so many pods was seen to do, while messages waited all the time. */
export type MeasuredRate = { replicas: number; perSecond: number; samples: number; atMs: number; remembered?: true }

export type ServiceRate = {
  /** Messages a second that one pod handles. */
  value: number
  /** Given: by the trigger's value. Remembered: from the status, by an operator that has just started. */
  source: 'Measured' | 'Remembered' | 'Given'
  samples: number
}

const LEARNING = 0.3
const SMALLEST = 3
const KEPT = 8
/** A number of pods that was not seen for so long says little about the release that runs now. */
const FRESH_MS = 3_600_000

/** Fit to learn from: messages waited at every look, and the counters can all be so. */
const isSaturated = (samples: readonly Sample[]): boolean =>
  samples.length >= 3 && samples.every(({ ready }) => ready > 0) && isSound(samples)

/**
 * The rate of all pods together while it was their limit: messages waited at every look and the number of ready pods
 * did not change. Otherwise acknowledgements show the demand, and that is nothing to learn from; nor is what the broker's
 * counters show while its nodes come and go.
 *
 * Long jobs that began together end together, and the look that sees them end says nothing of how long they took: four
 * jobs of a minute in 15 s were taken for four times the rate, and pods for enough that were a fourth of it. Where
 * nothing ended for a while, the time counts from the first look that is known of these pods.
 * @param pollingInterval seconds between two looks
 * @param steadySinceMs since when the number of ready pods is what it is
 */
export const saturatedRate = (
  samples: readonly Sample[],
  pollingInterval: number,
  steadySinceMs: number,
): number | undefined => {
  const window = lately(samples, pollingInterval, steadySinceMs)
  if (!isSaturated(window)) return undefined
  const all = samples.filter(({ atMs }) => atMs >= steadySinceMs)
  const rate = rateOver(isSaturated(all) && hasPause(all) ? all : window, 'acked')
  return rate !== undefined && rate > 0 ? rate : undefined
}

/** Takes one more measurement of `replicas` pods in. */
export const learnRate = (
  known: readonly MeasuredRate[],
  replicas: number,
  totalPerSecond: number,
  atMs: number,
): MeasuredRate[] => {
  const seen = totalPerSecond / replicas
  const before = known.find((rate) => rate.replicas === replicas)
  const learnt = {
    replicas,
    perSecond: before === undefined ? seen : before.perSecond * (1 - LEARNING) + seen * LEARNING,
    samples: (before?.samples ?? 0) + 1,
    atMs,
  }
  return [learnt, ...known.filter((rate) => rate.replicas !== replicas)].slice(0, KEPT)
}

/**
 * What one pod can do: the best of the three smallest numbers of pods that were measured. More pods share what limits
 * them, so a mean over all would take a saturated database for slow pods and ask for more of them (simulated).
 */
export const serviceRate = (known: readonly MeasuredRate[], nowMs: number): ServiceRate | undefined => {
  const fresh = known.filter(({ atMs }) => nowMs - atMs <= FRESH_MS)
  const base = (fresh.length > 0 ? fresh : [...known]).sort((a, b) => a.replicas - b.replicas).slice(0, SMALLEST)
  if (base.length === 0) return undefined
  return {
    value: Math.max(...base.map(({ perSecond }) => perSecond)),
    source: base.every(({ remembered }) => remembered === true) ? 'Remembered' : 'Measured',
    samples: base.reduce((sum, { samples }) => sum + samples, 0),
  }
}
