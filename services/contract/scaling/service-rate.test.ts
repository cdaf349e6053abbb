import { describe, expect, it } from 'vitest'
import type { Sample } from './sample.ts'
import { saturatedRate } from './service-rate.ts'

/** A look every 5 s for 75 s at a queue of many, of which so many have been acknowledged at a second. */
const looks = (ackedAt: (second: number) => number): Sample[] =>
  Array.from({ length: 16 }, (_, index) => index * 5).map((second) => {
    const acked = ackedAt(second)
    return { atMs: second * 1000, ready: 10_000 - acked, unacked: 4, published: 10_004, acked }
  })

describe('what all pods do in a second, while they are the limit', () => {
  it('of jobs of a minute that end together counts over the minute, not over the looks that saw them end', () => {
    const rate = saturatedRate(
      looks((second) => (second < 70 ? 0 : 4)),
      5,
      10_000,
    )
    expect(rate).toBeCloseTo(4 / 65, 5)
  })
  it('of short jobs is that of the last looks: it may have changed', () => {
    const rate = saturatedRate(
      looks((second) => (second < 45 ? 10 * second : 450 + 20 * (second - 45))),
      5,
      10_000,
    )
    expect(rate).toBeCloseTo(20, 5)
  })
  it('is not known before the first job has ended', () =>
    expect(
      saturatedRate(
        looks(() => 0),
        5,
        10_000,
      ),
    ).toBeUndefined())
})
