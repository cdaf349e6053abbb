import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DEFAULTS } from '#contract/pipeline.ts'
import { decideScaling, type Memory, type Sample } from './scaling.ts'

const NOW = 1_000_000
const scaling = { ...DEFAULTS.signals.scaling, maxReplicaCount: 20 }
const empty: Memory = { wanted: [] }

/** Three looks, 5 s apart, the last one now; counters grow by the given rates. */
const looks = (
  ready: number,
  unacked: number,
  rates: { arrival?: number; service?: number; ageMs?: number } = {},
): Sample[] =>
  [10, 5, 0].map((secondsAgo) => ({
    atMs: NOW - secondsAgo * 1000 - (rates.ageMs ?? 0),
    ready,
    unacked,
    published: 1000 + (10 - secondsAgo) * (rates.arrival ?? 0),
    acked: 1000 + (10 - secondsAgo) * (rates.service ?? 0),
  }))

const decide = (
  samples: Sample[],
  current: number,
  more: { ready?: number; memory?: Memory; scaling?: Partial<typeof scaling>; fixed?: number } = {},
) =>
  decideScaling(
    samples,
    { current, ready: more.ready ?? current },
    { ...scaling, ...more.scaling },
    more.fixed,
    more.memory ?? empty,
    NOW,
  )

describe('the decision', () => {
  it.each([
    ['stays when the queue is not known', [], 3, {}, 3, 'BacklogUnknown'],
    ['stays at zero when the queue is not known', [], 0, {}, 0, 'BacklogUnknown'],
    ['stays when the last look is too old', looks(0, 0, { ageMs: 15_001 }), 3, {}, 3, 'BacklogUnknown'],
    ['goes from none to what the backlog needs in one step', looks(100, 0), 0, {}, 5, 'BacklogAndRate'],
    ['a part of a pod is a pod', looks(21, 0), 0, {}, 2, 'BacklogAndRate'],
    ['never goes above the most', looks(100_000, 0), 0, {}, 20, 'BacklogAndRate'],
    [
      'uses what a pod was seen to do',
      looks(3000, 0),
      1,
      { memory: { serviceRate: 10, wanted: [] }, ready: 0 },
      5,
      'BacklogAndRate',
    ],
    [
      'stays while an empty queue cools down',
      looks(0, 0),
      1,
      { memory: { lastActiveMs: NOW - 1000, wanted: [] } },
      1,
      'CoolingDown',
    ],
    [
      'goes to none when it has cooled down',
      looks(0, 0),
      1,
      { memory: { lastActiveMs: NOW - 300_001, wanted: [] } },
      0,
      'QueueEmpty',
    ],
    [
      'keeps the fewest that the spec asks for',
      looks(0, 0),
      3,
      { memory: { lastActiveMs: 0, wanted: [] }, scaling: { minReplicaCount: 2 } },
      2,
      'QueueEmpty',
    ],
    [
      'keeps a pod while a message is unacknowledged',
      looks(0, 1),
      1,
      {
        scaling: { triggers: [{ type: 'rabbitmq' as const, metadata: { value: '20', activationValue: '5' } }] },
        memory: { lastActiveMs: 0, wanted: [] },
      },
      1,
      'UnackedMessages',
    ],
    [
      'waits for a calm minute before it takes pods away',
      looks(20, 0),
      10,
      { memory: { wanted: [{ atMs: NOW - 30_000, replicas: 10 }] } },
      10,
      'Stabilizing',
    ],
    [
      'takes away what nothing wanted for a minute',
      looks(20, 0),
      10,
      { memory: { wanted: [{ atMs: NOW - 30_000, replicas: 4 }] } },
      4,
      'BacklogAndRate',
    ],
    [
      'leaves the number to the spec when scaling is off',
      looks(900, 0),
      2,
      { scaling: { provider: 'None' as const }, fixed: 4 },
      4,
      'ScalingOff',
    ],
    [
      'starts nothing that would find no message',
      looks(2, 0),
      0,
      { scaling: { triggers: [{ type: 'rabbitmq' as const, metadata: { value: '1' } }] } },
      2,
      'BacklogAndRate',
    ],
  ])('%s', (_, samples, current, more, desired, reason) =>
    expect(decide(samples, current, more)).toMatchObject({ desired, reason }),
  )

  it('learns a rate only while messages wait at every look', () => {
    expect(decide(looks(50, 10, { arrival: 20, service: 30 }), 3).memory.serviceRate).toBeCloseTo(10)
    expect(decide(looks(0, 10, { arrival: 20, service: 20 }), 3).memory.serviceRate).toBeUndefined()
  })

  it('takes a counter that fell for one that was reset', () => {
    const [first, second, third] = looks(50, 0, { service: 10 })
    if (first === undefined || second === undefined || third === undefined) throw new Error('three looks')
    const samples = [first, { ...second, acked: 20 }, { ...third, acked: 70 }]
    expect(decide(samples, 1).memory.serviceRate).toBeCloseTo(7)
  })
})

const counts = fc.nat(100_000)
const state = fc.record({
  ready: counts,
  unacked: fc.nat(1000),
  arrival: fc.nat(5000),
  service: fc.nat(5000),
  current: fc.nat(20),
  rate: fc.option(fc.double({ min: 0.01, max: 5000, noNaN: true }), { nil: undefined }),
})
const memoryOf = (rate: number | undefined): Memory => ({
  wanted: [],
  lastActiveMs: 0,
  ...(rate !== undefined && { serviceRate: rate }),
})

describe('whatever the queue', () => {
  it('the answer lies within bounds, is the same again, and is none only without unacknowledged messages', () =>
    fc.assert(
      fc.property(state, ({ ready, unacked, arrival, service, current, rate }) => {
        const ask = () => decide(looks(ready, unacked, { arrival, service }), current, { memory: memoryOf(rate) })
        const { desired } = ask()
        expect(desired).toBeGreaterThanOrEqual(0)
        expect(desired).toBeLessThanOrEqual(20)
        expect(ask()).toEqual(ask())
        if (unacked > 0) expect(desired).toBeGreaterThan(0)
      }),
    ))

  it('more waiting never means fewer pods', () =>
    fc.assert(
      fc.property(state, fc.nat(10_000), ({ ready, unacked, arrival, current, rate }, more) => {
        const at = (waiting: number) =>
          decide(looks(waiting, unacked, { arrival }), current, { memory: memoryOf(rate) }).desired
        expect(at(ready + more)).toBeGreaterThanOrEqual(at(ready))
      }),
    ))

  it('nothing known never means fewer pods', () =>
    fc.assert(fc.property(fc.nat(20), (current) => void expect(decide([], current).desired).toBe(current))))
})
