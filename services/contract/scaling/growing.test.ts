import { describe, expect, it } from 'vitest'
import {
  decide,
  free,
  looks,
  NOW,
  prometheus,
  queue,
  type Row,
  rate,
  scaleUp,
  wanted,
} from '../../../tests/stand/decision.ts'
import { SCALING_DEFAULTS } from './block.ts'
import { decideScaling } from './decision.ts'
import { pausesOf } from './pauses.ts'

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
