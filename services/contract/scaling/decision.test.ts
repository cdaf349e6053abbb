import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  decide,
  free,
  looks,
  type More,
  NOW,
  prometheus,
  queue,
  type Row,
  rate,
} from '../../../tests/stand/decision.ts'
import { SCALING_DEFAULTS, type Scaling, type Trigger } from './block.ts'
import { SCALING_REASONS } from './reasons.ts'
import { replay, type ScalingStatus, scalingStatusOf } from './status.ts'

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

  it('what the status shows leads to the same decision again', () =>
    fc.assert(
      fc.property(state, (s) => {
        const more = { ...moreOf(s), room: 5000 }
        const decision = decide(looks(s.ready, s.unacked, s), s.current, more)
        const pasted = JSON.parse(JSON.stringify(scalingStatusOf(decision, undefined, NOW))) as ScalingStatus
        expect(replay(pasted, { ...SCALING_DEFAULTS, ...more.scaling })).toEqual(decision.verdict)
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
