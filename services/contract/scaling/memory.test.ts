import { describe, expect, it } from 'vitest'
import { SCALING_DEFAULTS } from './block.ts'
import { downstreamRate, watchDownstream } from './downstream.ts'
import { freshMemory, learn, type Memory } from './memory.ts'
import type { Sample } from './sample.ts'
import { learnRate, serviceRate } from './service-rate.ts'

const NOW = 1_000_000
const busy = (service: number, ready = 50, untilMs = NOW): Sample[] =>
  [15, 10, 5, 0].map((ago) => ({
    atMs: untilMs - ago * 1000,
    ready,
    unacked: 10,
    published: (15 - ago) * service,
    acked: (15 - ago) * service,
  }))
const steady = (ready: number, forSeconds = 60): Memory => ({
  ...freshMemory(0),
  steady: { ready, sinceMs: NOW - forSeconds * 1000 },
})
const taught = (memory: Memory, samples: Sample[], pods: number, nowMs = NOW) =>
  learn(memory, samples, { current: pods, ready: pods }, SCALING_DEFAULTS, nowMs)
const rateAfter = (memory: Memory) => serviceRate(memory.rates, NOW)?.value

describe("a pod's rate", () => {
  it.each([
    ['is learnt while messages wait at every look', steady(3), busy(30), 3, 10],
    ['is not learnt while none wait', steady(3), busy(30, 0), 3, undefined],
    ['is not learnt while the number of pods has just changed', steady(3, 5), busy(30), 3, undefined],
    ['is not learnt while pods come and go', steady(2), busy(30), 3, undefined],
    ['is not learnt from no pods', steady(0), busy(30), 0, undefined],
    ['is not learnt from pods that do nothing', steady(3), busy(0), 3, undefined],
  ])('%s', (_, memory, samples, pods, expected) => expect(rateAfter(taught(memory, samples, pods))).toBe(expected))

  it('is learnt once from each look', () => {
    const once = taught(steady(3), busy(30), 3)
    expect(taught(once, busy(30), 3, NOW + 1000).rates[0]?.samples).toBe(1)
  })

  it('moves by a part of what is new', () =>
    expect(learnRate(learnRate([], 1, 10, 0), 1, 20, 0)[0]?.perSecond).toBe(13))

  it('is that of few pods: many share what is behind them', () => {
    const known = [30, 20, 10, 2].reduce(
      (rates, pods) => learnRate(rates, pods, Math.min(60, pods * 8), NOW),
      [] as Memory['rates'],
    )
    expect(serviceRate(known, NOW)).toMatchObject({ value: 8, source: 'Measured', samples: 3 })
  })

  it('of an hour ago counts only when nothing newer is known', () => {
    const old = learnRate([], 1, 50, NOW - 3_600_001)
    expect(serviceRate(old, NOW)?.value).toBe(50)
    expect(serviceRate(learnRate(old, 4, 40, NOW), NOW)?.value).toBe(10)
  })

  it('is remembered by the status', () => {
    const shown = { serviceRate: { value: 12, source: 'Measured' as const, samples: 7 }, startupSeconds: 9 }
    const memory = freshMemory(NOW, shown)
    expect(serviceRate(memory.rates, NOW)).toEqual({ value: 12, source: 'Remembered', samples: 7 })
    expect(memory.startupSeconds).toBe(9)
  })
})

describe('an operator that has just started', () => {
  it('takes nothing away for a minute', () => expect(freshMemory(NOW).burstUntilMs).toBe(NOW + 60_000))
  it('begins the cooldown again, unless nothing was ever to do', () => {
    expect(freshMemory(NOW, { startupSeconds: 3 }).lastActiveMs).toBe(NOW)
    expect(freshMemory(NOW, { startupSeconds: 3, neverActive: true }).lastActiveMs).toBeUndefined()
  })
})

it('how long pods take to start is learnt from those that were awaited', () => {
  const at = (memory: Memory, current: number, ready: number, seconds: number) =>
    learn(memory, [], { current, ready }, SCALING_DEFAULTS, NOW + seconds * 1000)
  const asked = at(at(freshMemory(NOW), 1, 1, 0), 5, 1, 1)
  const waiting = at(asked, 5, 4, 6)
  expect(waiting.startupSeconds).toBe(3)
  expect(at(waiting, 5, 5, 14).startupSeconds).toBe(8)
  expect(at(at(asked, 2, 1, 5), 2, 2, 60).startupSeconds).toBe(3)
})

it('a change of the number of pods is remembered, whoever made it', () => {
  const memory = taught(taught(freshMemory(0), [], 3), [], 7)
  expect(memory.changes).toEqual([{ atMs: NOW, from: 3, to: 7 }])
})

describe('what is behind the pods', () => {
  const AGO = NOW - 5_000
  const once = watchDownstream(undefined, 50, 100, AGO)
  const twice = watchDownstream(once, 50, 100, NOW)
  it.each([
    ['is no limit after one look', watchDownstream(undefined, 50, 100, NOW), undefined],
    ['is a limit after the second', twice, 50],
    ['is none when the second saw what the first did', watchDownstream(once, 50, 100, AGO + 1_000), undefined],
    ['is none while less and less is done: pods that stall', watchDownstream(once, 20, 100, NOW), undefined],
    ['stays what it was while pods stall', watchDownstream(twice, 20, 100, NOW + 5_000), 50],
    ['is none when the pods do what they can', watchDownstream(undefined, 95, 100, NOW), undefined],
    ['stays one while fewer pods do no less', watchDownstream(twice, 50, 62, NOW), 50],
    ['is none any more when they do what they can', watchDownstream(twice, 60, 62, NOW), undefined],
  ])('%s', (_, downstream, expected) => expect(downstreamRate(downstream, NOW)).toBe(expected))
  it('is tried again after five minutes without a sign of it', () =>
    expect(downstreamRate(twice, NOW + 300_001)).toBeUndefined())
})
