import { quantile } from '../quantile.ts'
import { changesOf, type Moment, podSeconds, secondsUntilReady, takenAway } from './timeline.ts'

/** When a message was published, and when it was stored. */
export type Stored = { receivedAt: Date; processedAt: Date }

export type Measured = {
  /** Seconds from publish to store. */
  p50: number
  p95: number
  p99: number
  firstReady: number | undefined
  tenReady: number | undefined
  twentyReady: number | undefined
  podSeconds: number
  writes: number
  flips: number
  /** Pods taken away while the broker answered nothing; undefined where it always answered. */
  takenAway: number | undefined
  redelivered: number
  stored: number
  left: number
}

/** @param sent messages in all @param outage seconds from the start, from and to */
export const measuredOf = (
  moments: readonly Moment[],
  stored: readonly Stored[],
  sent: number,
  outage: readonly [from: number, to: number] | undefined,
): Omit<Measured, 'redelivered'> => {
  const latencies = Float64Array.from(
    stored,
    ({ receivedAt, processedAt }) => (processedAt.getTime() - receivedAt.getTime()) / 1000,
  ).sort()
  const second = (part: number): number => Math.round(quantile(latencies, part) * 10) / 10
  return {
    p50: second(0.5),
    p95: second(0.95),
    p99: second(0.99),
    firstReady: secondsUntilReady(moments, 1),
    tenReady: secondsUntilReady(moments, 10),
    twentyReady: secondsUntilReady(moments, 20),
    podSeconds: podSeconds(moments),
    ...changesOf(moments),
    takenAway: outage && takenAway(moments, ...outage),
    stored: stored.length,
    left: sent - stored.length,
  }
}
