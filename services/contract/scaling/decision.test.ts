import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SCALING_DEFAULTS, type Scaling, type Trigger } from './block.ts'
import { decideScaling } from './decision.ts'
import { freshMemory, type Memory } from './memory.ts'
import { pausesOf } from './pauses.ts'
import { SCALING_REASONS } from './reasons.ts'
import type { Sample } from './sample.ts'
import type { Facts } from './situation.ts'

const NOW = 10_000_000

/** Four looks, 5 s apart, the last one now or `ageMs` ago; counters grow by the given rates. */
const looks = (
  ready: number,
  unacked: number,
  { arrival = 0, service = 0, ageMs = 0 }: { arrival?: number; service?: number; ageMs?: number } = {},
): Sample[] =>
  [15, 10, 5, 0].map((secondsAgo) => ({
    atMs: NOW - secondsAgo * 1000 - ageMs,
    ready,
    unacked,
    published: 1000 + (15 - secondsAgo) * arrival,
    acked: 1000 + (15 - secondsAgo) * service,
  }))

/** A memory in which nothing is going on; rates are learnt only from pods that have not changed for long. */
const calm = (more: Partial<Memory> = {}): Memory => ({
  ...freshMemory(0),
  steady: { ready: -1, sinceMs: 0 },
  lastActiveMs: NOW - 1000,
  burstUntilMs: 0,
  ...more,
})
const rate = (perSecond: number, replicas = 1) => [{ replicas, perSecond, samples: 3, atMs: NOW - 5000 }]
const wanted = (...pairs: [secondsAgo: number, replicas: number][]) =>
  pairs.map(([secondsAgo, replicas]) => ({ atMs: NOW - secondsAgo * 1000, replicas }))

type More = {
  ready?: number
  memory?: Partial<Memory>
  scaling?: Partial<Scaling>
  fixed?: number
  room?: number
  concurrency?: number
  metrics?: Facts['metrics']
  annotations?: Record<string, string>
  elsewhere?: Facts['elsewhere']
  problems?: NonNullable<Facts['problems']>
}

const decide = (samples: Sample[], current: number, more: More = {}) =>
  decideScaling(
    {
      samples,
      replicas: { current, ready: more.ready ?? current },
      metrics: more.metrics ?? {},
      pauses: pausesOf(more.annotations),
      fixed: more.fixed,
      room: more.room,
      concurrency: more.concurrency ?? 10,
      elsewhere: more.elsewhere,
      problems: more.problems ?? [],
    },
    { ...SCALING_DEFAULTS, ...more.scaling },
    calm(more.memory),
    NOW,
  )

const queue = (metadata: object): Trigger => ({ type: 'rabbitmq', metadata: { value: '20', ...metadata } })
const prometheus: Trigger = {
  type: 'prometheus',
  name: 'lag',
  metadata: { serverAddress: 'http://prometheus:9090', query: 'lag', threshold: '100' },
}
const { behavior } = SCALING_DEFAULTS
const scaleDown = (more: object) => ({ behavior: { ...behavior, scaleDown: { ...behavior.scaleDown, ...more } } })
const scaleUp = (more: object) => ({ behavior: { ...behavior, scaleUp: { ...behavior.scaleUp, ...more } } })
const free = scaleDown({ stabilizationWindowSeconds: 0, policies: [], tolerance: 0 })

type Row = [title: string, samples: Sample[], current: number, more: More, desired: number, reason: string]

it('a trigger that cannot be read is told with its reason', () => {
  const trigger: Trigger = {
    type: 'prometheus',
    name: 'lag',
    metadata: { serverAddress: 'http://p', query: 'x', threshold: '5' },
  }
  const problem = { name: 'lag', reason: 'CredentialsRefused' as const, message: 'the server answers 401' }
  const { verdict, situation } = decide([], 2, { scaling: { triggers: [trigger] }, problems: [problem] })
  expect(verdict).toMatchObject({ desired: 2, reason: 'BacklogUnknown' })
  expect(verdict.message).toContain('no trigger can be read (lag: CredentialsRefused, the server answers 401)')
  expect(situation.inputs.problems).toEqual([problem])
})

describe('who decides', () => {
  it.each<Row>([
    ['the spec, when scaling is off', looks(900, 0), 2, { scaling: { provider: 'None' }, fixed: 4 }, 4, 'ScalingOff'],
    [
      'nobody, when the spec names no number either',
      looks(900, 0),
      2,
      { scaling: { provider: 'None' } },
      2,
      'ScalingOff',
    ],
    ['KEDA, when it is to', looks(900, 0), 2, { scaling: { provider: 'KEDA' } }, 2, 'LeftToKeda'],
    [
      'nobody, while another scaler is there, whatever the spec or an annotation says',
      looks(900, 0),
      2,
      {
        scaling: { provider: 'None' },
        fixed: 4,
        annotations: { 'xrayiot.dev/paused-replicas': '7' },
        elsewhere: { reason: 'Conflict', message: 'an HPA' },
      },
      2,
      'Conflict',
    ],
    ['an annotation that pauses', looks(900, 0), 2, { annotations: { 'xrayiot.dev/paused': 'true' } }, 2, 'Paused'],
    [
      'an annotation of KEDA with a number',
      looks(900, 0),
      2,
      { annotations: { 'autoscaling.keda.sh/paused-replicas': '7' } },
      7,
      'Paused',
    ],
    [
      'an annotation that forbids to grow',
      looks(900, 0),
      2,
      { annotations: { 'autoscaling.keda.sh/paused-scale-out': 'true' } },
      2,
      'Paused',
    ],
    [
      'an annotation that forbids to shrink',
      looks(20, 0),
      9,
      { scaling: free, annotations: { 'xrayiot.dev/paused-scale-in': 'true' } },
      9,
      'Paused',
    ],
    [
      'an annotation that forces activity',
      looks(0, 0),
      0,
      { annotations: { 'autoscaling.keda.sh/force-activation': 'true' } },
      1,
      'BacklogAndRate',
    ],
  ])('%s', (_, samples, current, more, desired, reason) =>
    expect(decide(samples, current, more).verdict).toMatchObject({ desired, reason }),
  )
})

describe('when something is to do', () => {
  it.each<Row>([
    ['from none to what the backlog needs in one step', looks(100, 0), 0, {}, 5, 'BacklogAndRate'],
    ['a part of a pod is a pod', looks(21, 0), 0, {}, 2, 'BacklogAndRate'],
    ['never above the most', looks(100_000, 0), 0, {}, 20, 'BacklogAndRate'],
    ['at the most, and says so', looks(100_000, 0), 20, {}, 20, 'AtMaximum'],
    ['never below the fewest', looks(1, 0), 0, { scaling: { minReplicaCount: 3 } }, 3, 'BacklogAndRate'],
    ['by what a pod was seen to do', looks(3000, 0), 0, { memory: { rates: rate(10) } }, 5, 'BacklogAndRate'],
    [
      'by what arrives, at the utilization that is aimed at',
      looks(0, 30, { arrival: 30, service: 30 }),
      1,
      { memory: { rates: rate(10) }, scaling: { slo: { targetDrainSeconds: 60, targetUtilization: 0.75 } } },
      5,
      'BacklogAndRate',
    ],
    [
      'by a rate that a trigger gives',
      looks(0, 0, { arrival: 30 }),
      0,
      { scaling: { triggers: [queue({ mode: 'MessageRate', value: '10' })] } },
      5,
      'BacklogAndRate',
    ],
    [
      'long jobs in whole waves: of 90 s jobs a pod does one in 60 s',
      looks(12, 0),
      0,
      { memory: { rates: rate(1 / 90) }, concurrency: 1 },
      12,
      'BacklogAndRate',
    ],
    [
      'nothing that would find no message',
      looks(2, 0),
      0,
      { scaling: { triggers: [queue({ value: '0.1' })] } },
      2,
      'BacklogAndRate',
    ],
    [
      'unacknowledged messages are no work for another pod',
      looks(0, 500),
      3,
      { memory: { rates: rate(1) } },
      3,
      'Steady',
    ],
    [
      'unless told not to count them at all',
      looks(20, 500),
      1,
      { scaling: { triggers: [queue({ excludeUnacknowledged: 'true' })] } },
      1,
      'Steady',
    ],
    [
      'but the pods of long jobs stay with them',
      looks(0, 9),
      9,
      {
        memory: { rates: rate(1 / 90) },
        concurrency: 1,
        scaling: { ...free, triggers: [queue({ excludeUnacknowledged: 'true' })] },
      },
      9,
      'Steady',
    ],
    [
      'a backlog that is gone sooner than a pod could help',
      looks(10, 0, { arrival: 30, service: 30 }),
      4,
      { memory: { rates: rate(10), startupSeconds: 8 } },
      4,
      'SoonDrained',
    ],
    [
      'a queue that keeps up is not idle',
      looks(0, 0, { arrival: 5, service: 5 }),
      1,
      { memory: { rates: rate(10), lastActiveMs: 0 } },
      1,
      'Steady',
    ],
    [
      'the fewest that keep up are steady, also while nothing is learnt',
      looks(0, 0, { arrival: 5, service: 5 }),
      1,
      {},
      1,
      'Steady',
    ],
    [
      'by a value of Prometheus',
      looks(0, 0),
      1,
      { scaling: { triggers: [prometheus] }, metrics: { lag: 450 } },
      5,
      'TriggerValue',
    ],
    [
      'by the trigger that wants the most',
      looks(100, 0),
      1,
      { scaling: { triggers: [queue({}), prometheus] }, metrics: { lag: 450 } },
      5,
      'BacklogAndRate',
    ],
    ['within the tolerance nothing moves', looks(420, 0), 20, { scaling: { maxReplicaCount: 50 } }, 20, 'Steady'],
    [
      'the lowest of the window counts on the way up',
      looks(100, 0),
      1,
      { scaling: scaleUp({ stabilizationWindowSeconds: 30 }), memory: { wanted: wanted([10, 2]) } },
      2,
      'BacklogAndRate',
    ],
    [
      'the policies limit the way up',
      looks(400, 0),
      2,
      {
        scaling: scaleUp({
          policies: [
            { type: 'Pods', value: 4, periodSeconds: 15 },
            { type: 'Percent', value: 100, periodSeconds: 15 },
          ],
        }),
      },
      6,
      'BacklogAndRate',
    ],
    [
      'percent on the way up are rounded up',
      looks(400, 0),
      3,
      { scaling: scaleUp({ policies: [{ type: 'Percent', value: 50, periodSeconds: 15 }] }) },
      5,
      'BacklogAndRate',
    ],
    [
      'and what they let through counts',
      looks(400, 0),
      6,
      {
        scaling: scaleUp({ policies: [{ type: 'Pods', value: 4, periodSeconds: 15 }] }),
        memory: { changes: [{ atMs: NOW - 5000, from: 2, to: 6 }] },
      },
      6,
      'PolicyLimit',
    ],
    ['more than the most is corrected at once', looks(20, 0), 30, {}, 20, 'AtMaximum'],
    [
      'fewer than the fewest, too',
      looks(20, 0),
      1,
      {
        scaling: { minReplicaCount: 3, ...scaleUp({ stabilizationWindowSeconds: 60 }) },
        memory: { wanted: wanted([10, 1]) },
      },
      3,
      'BacklogAndRate',
    ],
  ])('%s', (_, samples, current, more, desired, reason) =>
    expect(decide(samples, current, more).verdict).toMatchObject({ desired, reason }),
  )
})

describe('pods that shall never be idle', () => {
  // Twelve pods of five a second do what arrives; 2,400 are left to stand before them, of 3,600 that arrive in a minute.
  const busy = (ready: number) => looks(ready, 0, { arrival: 60, service: 60 })
  const never = (more: More = {}): More => ({
    memory: { rates: rate(5) },
    ...more,
    scaling: { ...free, slo: { targetDrainSeconds: 60, targetUtilization: 1 }, ...more.scaling },
  })
  it.each<Row>([
    ['are as many as what arrives needs, with a queue before them', busy(2400), 12, never(), 12, 'Steady'],
    ['are fewer until it stands', busy(0), 1, never(), 5, 'BacklogAndRate'],
    ['are more for what is above it', busy(3000), 12, never(), 14, 'BacklogAndRate'],
    ['stay while it has something for them', busy(1200), 14, never(), 14, 'Steady'],
    ['go when it has not', busy(600), 18, never(), 14, 'BacklogAndRate'],
    ['drain it when nothing arrives any more', looks(2400, 0), 0, never(), 8, 'BacklogAndRate'],
    ['work at the last message', looks(1, 0), 1, never(), 1, 'Steady'],
    ['go when it is done', looks(0, 0), 1, never({ memory: { lastActiveMs: NOW - 300_000 } }), 0, 'QueueEmpty'],
    [
      'leave no more to stand than half of what the queue has room for',
      busy(2400),
      12,
      never({ room: 1200 }),
      18,
      'BacklogAndRate',
    ],
    [
      'leave none to stand of long jobs',
      looks(12, 0, { arrival: 0.1, service: 0.1 }),
      0,
      never({ memory: { rates: rate(1 / 90) }, concurrency: 1 }),
      13,
      'BacklogAndRate',
    ],
    [
      'are those of the utilization 1 alone',
      busy(2400),
      1,
      never({ scaling: { slo: { targetDrainSeconds: 60, targetUtilization: 0.99 }, maxReplicaCount: 40 } }),
      21,
      'BacklogAndRate',
    ],
  ])('%s', (_, samples, current, more, desired, reason) =>
    expect(decide(samples, current, more).verdict).toMatchObject({ desired, reason }),
  )
  it('say what is left to stand', () =>
    expect(decide(busy(3000), 12, never()).message).toBe(
      '12 -> 14: (3,000 waiting - 2,400 left to stand) / (5/s x 60 s) + 60/s arriving / (5/s x 1) = 14',
    ))
})

describe('when less is to do', () => {
  const few = looks(100, 0)
  it.each<Row>([
    ['the highest of the window counts', few, 10, { memory: { wanted: wanted([100, 10]) } }, 10, 'Stabilizing'],
    ['and nothing older', few, 8, { memory: { wanted: wanted([121, 10]) } }, 5, 'BacklogAndRate'],
    ['half of the pods go in 30 s', few, 20, { memory: { wanted: wanted([100, 5]) } }, 10, 'BacklogAndRate'],
    ['and no more', few, 10, { memory: { changes: [{ atMs: NOW - 20_000, from: 20, to: 10 }] } }, 10, 'PolicyLimit'],
    [
      'until the 30 s are over',
      few,
      10,
      { memory: { changes: [{ atMs: NOW - 30_000, from: 20, to: 10 }] } },
      5,
      'BacklogAndRate',
    ],
    [
      'none goes when that is switched off',
      few,
      10,
      { scaling: scaleDown({ selectPolicy: 'Disabled' }) },
      10,
      'PolicyLimit',
    ],
    [
      'none goes for a minute after a burst',
      few,
      10,
      { scaling: free, memory: { burstUntilMs: NOW + 1 } },
      10,
      'BurstHold',
    ],
    [
      'none goes while the backlog will last for twice too long',
      looks(4400, 10, { arrival: 60, service: 72 }),
      20,
      {
        ready: 8,
        scaling: { ...free, slo: { targetDrainSeconds: 60, targetUtilization: 1 } },
        memory: { rates: rate(9) },
      },
      20,
      'BurstHold',
    ],
    [
      'pods that are merely used to the full are no burst',
      looks(40, 10, { arrival: 60, service: 60 }),
      20,
      {
        ready: 6,
        scaling: { ...free, slo: { targetDrainSeconds: 60, targetUtilization: 1 } },
        memory: { rates: rate(9) },
      },
      7,
      'BacklogAndRate',
    ],
    [
      'none goes while messages are missing',
      [...looks(5000, 0, { arrival: 1000 }).slice(0, 3), ...looks(0, 10, { arrival: 1000 }).slice(3)],
      10,
      { scaling: free, memory: { rates: rate(10_000) } },
      10,
      'DataContradicts',
    ],
    [
      'none goes right after the counters began again',
      [...looks(20, 0).slice(0, 3), { atMs: NOW, ready: 20, unacked: 0, published: 0, acked: 0 }],
      10,
      { scaling: free },
      10,
      'DataContradicts',
    ],
  ])('%s', (_, samples, current, more, desired, reason) =>
    expect(decide(samples, current, more).verdict).toMatchObject({ desired, reason }),
  )
})

describe('when nothing is to do', () => {
  const idle = { lastActiveMs: NOW - 300_000 }
  it.each<Row>([
    ['the last pod stays for the cooldown', looks(0, 0), 1, {}, 1, 'CoolingDown'],
    ['and goes after it', looks(0, 0), 1, { memory: idle }, 0, 'QueueEmpty'],
    ['the others go by their policy, not at once', looks(0, 0), 20, { memory: idle }, 10, 'QueueEmpty'],
    [
      'a burst that was just on is over',
      looks(0, 0),
      1,
      { memory: { ...idle, burstUntilMs: NOW + 1 } },
      0,
      'QueueEmpty',
    ],
    ['the fewest stay', looks(0, 0), 3, { memory: idle, scaling: { minReplicaCount: 2 } }, 2, 'QueueEmpty'],
    [
      'unless fewer are to idle',
      looks(0, 0),
      2,
      { memory: idle, scaling: { minReplicaCount: 2, idleReplicaCount: 1 } },
      1,
      'QueueEmpty',
    ],
    [
      'who idles goes to the fewest at the first message',
      looks(1, 0),
      1,
      { memory: idle, scaling: { minReplicaCount: 2, idleReplicaCount: 1 } },
      2,
      'BacklogAndRate',
    ],
    [
      'the last pod stays for an unacknowledged message',
      looks(0, 1),
      1,
      { memory: idle, scaling: { triggers: [queue({ activationValue: '5' })] } },
      1,
      'UnackedMessages',
    ],
    [
      'and one is started for it, when none is there',
      looks(0, 1),
      0,
      { memory: idle, scaling: { triggers: [queue({ activationValue: '5' })] } },
      1,
      'UnackedMessages',
    ],
    [
      'those that idle are enough for it',
      looks(0, 1),
      2,
      {
        memory: idle,
        scaling: { minReplicaCount: 3, idleReplicaCount: 2, triggers: [queue({ activationValue: '5' })] },
      },
      2,
      'UnackedMessages',
    ],
    [
      'that no trigger counts, either',
      looks(0, 1),
      1,
      { memory: idle, scaling: { triggers: [prometheus] }, metrics: { lag: 0 } },
      1,
      'UnackedMessages',
    ],
    [
      'what was never active goes after its own cooldown',
      looks(0, 0),
      1,
      { memory: { lastActiveMs: undefined, sinceMs: NOW - 50_000 } as never, scaling: { initialCooldownPeriod: 60 } },
      1,
      'CoolingDown',
    ],
    [
      'which is none unless it is given',
      looks(0, 0),
      1,
      { memory: { lastActiveMs: undefined } as never },
      0,
      'QueueEmpty',
    ],
    ['none is started', looks(0, 0), 0, {}, 0, 'QueueEmpty'],
  ])('%s', (_, samples, current, more, desired, reason) =>
    expect(decide(samples, current, more).verdict).toMatchObject({ desired, reason }),
  )
})

describe('when a trigger cannot be read', () => {
  const both = { triggers: [queue({}), prometheus], ...free }
  const late = { unknownMs: NOW - 60_000 }
  const fallback = (name: string) =>
    ({ fallback: { failureThreshold: 3, replicas: 4, behavior: name } }) as Partial<Scaling>
  it.each<Row>([
    ['the number stays', [], 3, {}, 3, 'BacklogUnknown'],
    ['none stays none', [], 0, {}, 0, 'BacklogUnknown'],
    ['too old is unknown', looks(0, 0, { ageMs: 15_001 }), 3, { memory: { lastActiveMs: 0 } }, 3, 'BacklogUnknown'],
    ['no value of Prometheus is unknown', looks(0, 0), 3, { scaling: { triggers: [prometheus] } }, 3, 'BacklogUnknown'],
    [
      'NaN is unknown',
      looks(0, 0),
      3,
      { scaling: { triggers: [prometheus] }, metrics: { lag: Number.NaN } },
      3,
      'BacklogUnknown',
    ],
    ['the others may add pods', looks(200, 0), 3, { scaling: both }, 10, 'BacklogAndRate'],
    ['and take none away', looks(20, 0), 3, { scaling: both }, 3, 'BacklogUnknown'],
    [
      'the fallback waits for its threshold',
      [],
      1,
      { scaling: fallback('static'), memory: { unknownMs: NOW - 10_000 } },
      1,
      'BacklogUnknown',
    ],
    ['then it counts', [], 1, { scaling: fallback('static'), memory: late }, 4, 'Fallback'],
    ['from none, too', [], 0, { scaling: fallback('currentReplicasIfHigher'), memory: late }, 4, 'Fallback'],
    [
      'the present number counts if it is higher',
      [],
      7,
      { scaling: fallback('currentReplicasIfHigher'), memory: late },
      7,
      'Fallback',
    ],
    ['or if it is lower', [], 2, { scaling: fallback('currentReplicasIfLower'), memory: late }, 2, 'Fallback'],
    ['or always', [], 9, { scaling: fallback('currentReplicas'), memory: late }, 9, 'Fallback'],
  ])('%s', (_, samples, current, more, desired, reason) =>
    expect(decide(samples, current, more).verdict).toMatchObject({ desired, reason }),
  )

  it('the time without it is counted from the first time, and forgotten when it is back', () => {
    const { memory } = decide([], 3)
    expect(memory.unknownMs).toBe(NOW)
    expect(decide([], 3, { memory: late }).memory.unknownMs).toBe(late.unknownMs)
    expect(decide(looks(5, 0), 3, { memory: late }).memory.unknownMs).toBeUndefined()
  })
})

it('when more pods brought no more throughput, only those stay that what is behind them can feed', () => {
  const memory = { rates: rate(5), wanted: wanted([5, 20]), steady: { ready: 20, sinceMs: 0 } }
  const saturated = looks(5000, 200, { arrival: 90, service: 55 })
  const first = decide(saturated, 20, { memory })
  expect(first.verdict.desired).toBe(20)
  const again = decideScaling(
    {
      samples: saturated.map((sample) => ({ ...sample, atMs: sample.atMs + 5000 })),
      replicas: { current: 20, ready: 20 },
      metrics: {},
      pauses: pausesOf(),
      fixed: undefined,
      concurrency: 10,
    },
    SCALING_DEFAULTS,
    first.memory,
    NOW + 5000,
  )
  expect(again.verdict).toMatchObject({ desired: 14, reason: 'ScalingIneffective' })
})

it('a dry run says what it would do, and does nothing', () => {
  const { replicas, verdict, message } = decide(looks(100, 0), 2, { scaling: { dryRun: true } })
  expect({ replicas, desired: verdict.desired }).toEqual({ replicas: 2, desired: 5 })
  expect(message).toMatch(/^dry run, not done: 2 -> 5/)
})

it('says how its number comes about', () =>
  expect(decide(looks(5400, 0), 3, { memory: { rates: rate(5) }, scaling: { maxReplicaCount: 9 } }).message).toBe(
    '3 -> 9: 5,400 waiting / (5/s x 60 s) + 0/s arriving / (5/s x 0.75) = 18; then Maximum 9',
  ))

it('every reason that is told is one that is explained', () => {
  const told = [decide([], 1), decide(looks(0, 0), 1), decide(looks(1, 0), 1)].map(({ reason }) => reason)
  for (const reason of told) expect(SCALING_REASONS).toHaveProperty(reason)
})

const state = fc.record({
  ready: fc.nat(100_000),
  unacked: fc.nat(1000),
  arrival: fc.nat(5000),
  service: fc.nat(5000),
  current: fc.nat(20),
  running: fc.nat(20),
  perSecond: fc.option(fc.double({ min: 0.01, max: 5000, noNaN: true }), { nil: undefined }),
  wanted: fc.array(fc.record({ atMs: fc.integer({ min: NOW - 200_000, max: NOW }), replicas: fc.nat(20) })),
  changes: fc.array(
    fc.record({ atMs: fc.integer({ min: NOW - 60_000, max: NOW }), from: fc.nat(20), to: fc.nat(20) }),
    { maxLength: 5 },
  ),
  burst: fc.boolean(),
  activation: fc.nat(50),
  utilization: fc.constantFrom(0.75, 1),
})
type State = typeof state extends fc.Arbitrary<infer S> ? S : never
const moreOf = ({ perSecond, burst, wanted: was, changes, running, activation, utilization }: State): More => ({
  ready: running,
  scaling: {
    slo: { targetDrainSeconds: 60, targetUtilization: utilization },
    triggers: [queue({ activationValue: String(activation) })],
  },
  memory: {
    wanted: was,
    changes,
    burstUntilMs: burst ? NOW + 1 : 0,
    rates: perSecond === undefined ? [] : rate(perSecond),
  },
})

describe('whatever the queue', () => {
  it('the number lies within its bounds, is the same again, and is not none while a message is unacknowledged', () =>
    fc.assert(
      fc.property(state, (s) => {
        const ask = () => decide(looks(s.ready, s.unacked, s), s.current, moreOf(s))
        const { desired } = ask().verdict
        expect(desired).toBeGreaterThanOrEqual(0)
        expect(desired).toBeLessThanOrEqual(20)
        expect(ask()).toEqual(ask())
        if (s.unacked > 0) expect(desired).toBeGreaterThan(0)
      }),
    ))

  it('more waiting never means fewer pods', () =>
    fc.assert(
      fc.property(state, fc.nat(10_000), (s, more) => {
        const at = (waiting: number) => decide(looks(waiting, s.unacked, s), s.current, moreOf(s)).verdict.desired
        expect(at(s.ready + more)).toBeGreaterThanOrEqual(at(s.ready))
      }),
    ))

  it('nothing known, or nothing known any more, never means fewer pods', () =>
    fc.assert(
      fc.property(state, fc.boolean(), (s, none) => {
        const samples = none ? [] : looks(s.ready, s.unacked, { ...s, ageMs: 20_000 })
        expect(decide(samples, s.current, moreOf(s)).verdict.desired).toBe(s.current)
      }),
    ))
})
