import { describe, expect, it } from 'vitest'
import { decide, free, looks, type More, NOW, type Row, rate } from '../../../tests/stand/decision.ts'

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
