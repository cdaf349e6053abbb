import { describe, expect, it } from 'vitest'
import { SCALING_DEFAULTS, type Scaling } from './block.ts'
import { type Decision, decideScaling } from './decision.ts'
import { freshMemory } from './memory.ts'
import { pausesOf } from './pauses.ts'
import { type Sample, withLook } from './sample.ts'

type Queue = Omit<Sample, 'atMs'>

/** Twenty decisions, one look each, on two pods that stay; `queue` tells what is seen after so many seconds. */
const watched = (more: Partial<Scaling>, queue: (seconds: number) => Queue): Decision => {
  const scaling = { ...SCALING_DEFAULTS, cooldownPeriod: 5, ...more }
  let samples: Sample[] = []
  let memory = freshMemory(0, { startupSeconds: 3 })
  let last: Decision | undefined
  for (let poll = 0; poll < 20; poll++) {
    const nowMs = poll * scaling.pollingInterval * 1000
    samples = withLook(samples, { atMs: nowMs, ...queue(nowMs / 1000) }, scaling.pollingInterval)
    const facts = { samples, replicas: { current: 2, ready: 2 }, metrics: {}, pauses: pausesOf(), fixed: undefined }
    last = decideScaling({ ...facts, concurrency: 10 }, scaling, memory, nowMs)
    memory = last.memory
  }
  return last as Decision
}

describe.each([1, 5, 8, 15, 60, 300])('with a look every %i s', (pollingInterval) => {
  it('the rate of a pod is learnt', () => {
    const full = (seconds: number) => ({ ready: 90, unacked: 10, published: 100 + seconds * 8, acked: seconds * 8 })
    const { value, source } = watched({ pollingInterval }, full).situation.inputs.serviceRate ?? {}
    expect([value, source]).toEqual([4, 'Measured'])
  })
  it('a queue that is empty at every look but not idle keeps its pods', () => {
    const kept = (seconds: number) => ({ ready: 0, unacked: 0, published: seconds * 8, acked: seconds * 8 })
    expect(watched({ pollingInterval }, kept).verdict.desired).toBeGreaterThan(0)
  })
  it('one that is idle loses them', () => {
    const idle = () => ({ ready: 0, unacked: 0, published: 800, acked: 800 })
    expect(watched({ pollingInterval }, idle).verdict.desired).toBe(1)
  })
})

it('what was wanted is forgotten when no window asks for it any more', () => {
  const { memory } = watched({ pollingInterval: 15 }, () => ({ ready: 30, unacked: 0, published: 30, acked: 0 }))
  // Twenty looks in five minutes; the longest window of the defaults is two.
  expect(memory.wanted.length).toBeLessThanOrEqual(120 / 15 + 1)
  expect(memory.wanted.length).toBeGreaterThan(1)
})

describe('while a node of the broker goes, or comes back', () => {
  /** Counts of a node that is away from `from` on, until `until`. */
  const node = (from: number, until: number, counted: number) => (seconds: number) => {
    const there = seconds < from || seconds >= until ? counted : 0
    return { ready: 90, unacked: 10, published: there + 100 + seconds * 8, acked: there + seconds * 8 }
  }
  it.each([
    ['went', 70, 1000],
    ['came back', 0, 70],
    ['went and came back', 70, 80],
  ])('one that %s is no work: neither arrivals nor a rate', (_, from, until) => {
    const { situation } = watched({}, node(from, until, 400_000))
    expect(situation.inputs.publishRate).toBe(8)
    expect(situation.inputs.serviceRate?.value).toBe(4)
  })
  it('nothing is taken away right after one went', () => {
    const went = watched({}, (seconds) => ({ ready: 0, unacked: 0, published: seconds < 90 ? 900 : 500, acked: 500 }))
    expect(went.verdict).toMatchObject({ desired: 2, reason: 'DataContradicts' })
  })
})

describe('what is not known', () => {
  const prometheus: Scaling['triggers'] = [
    { type: 'prometheus', name: 'lag', metadata: { serverAddress: 'http://p', query: 'lag', threshold: '100' } },
  ]
  const asked = (samples: Sample[], lag: number, triggers = prometheus) =>
    decideScaling(
      {
        samples,
        replicas: { current: 3, ready: 3 },
        metrics: { lag },
        pauses: pausesOf(),
        fixed: undefined,
        concurrency: 10,
      },
      { ...SCALING_DEFAULTS, cooldownPeriod: 0, triggers },
      { ...freshMemory(0), burstUntilMs: 0, lastActiveMs: 0 },
      1_000_000,
    ).verdict
  it.each([0, 150])('how many are unacknowledged: none goes, though a query says %i', (lag) =>
    expect(asked([], lag)).toMatchObject({ desired: 3, reason: 'BacklogUnknown' }),
  )
  it('it may grow by the query', () => expect(asked([], 1000)).toMatchObject({ desired: 10 }))
  it('what arrives, after one look at an empty queue: none goes', () => {
    const only = { atMs: 1_000_000, ready: 0, unacked: 0, published: 5, acked: 5 }
    expect(asked([only], 0, SCALING_DEFAULTS.triggers)).toMatchObject({ desired: 3, reason: 'BurstHold' })
  })
})
