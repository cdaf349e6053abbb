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
  scaleDown,
  wanted,
} from '../../../tests/stand/decision.ts'

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
