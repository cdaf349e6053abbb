import { describe, expect, it } from 'vitest'
import { SCALING_DEFAULTS } from './block.ts'
import { decideScaling } from './decision.ts'
import { freshMemory, type Memory } from './memory.ts'
import { pausesOf } from './pauses.ts'
import type { Sample } from './sample.ts'
import { replay, type ScalingStatus, scalingStatusOf } from './status.ts'

const NOW = 10_000_000
const decided = (ready: number, current: number, atMs = NOW, known = true) => {
  const samples: Sample[] = [15, 10, 5, 0].map((ago) => ({
    atMs: atMs - ago * 1000,
    ready,
    unacked: 7,
    published: 1000 - ago * 33,
    acked: 1000 - ago * 33,
  }))
  const facts = {
    replicas: { current, ready: current },
    metrics: {},
    pauses: pausesOf(),
    fixed: undefined,
    concurrency: 10,
  }
  const memory = {
    ...freshMemory(0, { serviceRate: { value: 4.1234, source: 'Measured', samples: 3 } }),
    burstUntilMs: 0,
  }
  return decideScaling({ ...facts, samples: known ? samples : [] }, SCALING_DEFAULTS, memory, atMs)
}
const first = scalingStatusOf(decided(60, 3), undefined, NOW)

describe('the status of a decision', () => {
  it('has everything that it was made of', () => {
    expect(first).toMatchObject({
      observedAt: '1970-01-01T02:46:40Z',
      statsAgeSeconds: 0,
      replicas: { current: 3, ready: 3, desired: 12 },
      inputs: {
        ready: 60,
        unacked: 7,
        publishRate: 33,
        ackRate: 33,
        serviceRate: { value: 4.123, source: 'Remembered', samples: 3 },
      },
      reason: 'BacklogAndRate',
      history: [{ from: 3, to: 12, reason: 'BacklogAndRate' }],
    })
    expect(first.terms?.steady).toBe(10.67)
  })

  describe('after one look, which does not tell what arrives,', () => {
    const look: Sample = { atMs: NOW + 3_600_000, ready: 0, unacked: 0, published: 5, acked: 5 }
    const decideOn = (samples: Sample[], atMs: number, more: Partial<Memory> = {}) => {
      const facts = {
        replicas: { current: 1, ready: 1 },
        metrics: {},
        pauses: pausesOf(),
        fixed: undefined,
        concurrency: 10,
      }
      return decideScaling({ ...facts, samples }, SCALING_DEFAULTS, { ...freshMemory(atMs), ...more }, atMs)
    }
    const known = scalingStatusOf(
      decideOn(
        [
          { ...look, atMs: NOW - 5000 },
          { ...look, atMs: NOW },
        ],
        NOW,
        { lastActiveMs: NOW - 1000 },
      ),
      undefined,
      NOW,
    )
    const unknown = scalingStatusOf(decideOn([], NOW), undefined, NOW)
    it('an operator that has just started leaves what was written', () => {
      expect(known.reason).not.toBe('BurstHold')
      expect(scalingStatusOf(decideOn([look], look.atMs), known, look.atMs)).toBe(known)
    })
    it.each([
      ['a new pipeline waits for the second', 5_000, 'BacklogUnknown'],
      ['one that is rarely looked at is told what is known', 60_000, 'BurstHold'],
    ])('%s', (_, afterMs, reason) => {
      const atMs = NOW + afterMs
      expect(unknown.reason).toBe('BacklogUnknown')
      expect(scalingStatusOf(decideOn([{ ...look, atMs }], atMs), unknown, atMs).reason).toBe(reason)
    })
  })

  it.each([
    ['the same figures a poll later', decided(60, 3, NOW + 5000), NOW + 5000],
    ['a depth that goes up and down, for ever', decided(75, 3, NOW + 3_600_000), NOW + 3_600_000],
    ['another depth within half a minute', decided(500, 3, NOW + 29_000), NOW + 29_000],
  ])('is not written again for %s', (_, decision, atMs) => {
    const before = { ...first, replicas: { ...first.replicas, desired: decision.verdict.desired } }
    expect(scalingStatusOf(decision, before, atMs)).toBe(before)
  })

  it.each([
    ['another number', decided(900, 3, NOW + 5000), first],
    ['other pods', decided(60, 12, NOW + 5000), first],
    [
      'a queue that is not known',
      decided(0, 12, NOW + 5000, false),
      { ...first, replicas: { ...first.replicas, current: 12 } },
    ],
    [
      'a depth of another size after half a minute',
      decided(300, 3, NOW + 30_000),
      { ...first, replicas: { ...first.replicas, desired: 13 } },
    ],
    [
      'a status of a former release',
      decided(60, 3),
      { reason: 'BacklogAndRate', message: '' } as Partial<ScalingStatus>,
    ],
  ])('is written for %s', (_, decision, before) =>
    expect(scalingStatusOf(decision, before, NOW + 30_000).observedAt).toBe('1970-01-01T02:47:10Z'),
  )

  it('is not written for a steady load, however its depth goes up and down', () => {
    let memory = { ...freshMemory(0), burstUntilMs: 0 }
    let samples: Sample[] = []
    let status: ScalingStatus | undefined
    let writes = 0
    for (let poll = 0; poll < 200; poll++) {
      const atMs = NOW + poll * 5000
      const [ready, unacked] = [(poll * 7) % 3, (poll * 5) % 4]
      samples = [...samples, { atMs, ready, unacked, published: poll * 25, acked: poll * 25 - ready - unacked }].slice(
        -12,
      )
      const facts = { samples, replicas: { current: 1, ready: 1 }, metrics: {}, pauses: pausesOf() }
      const decision = decideScaling({ ...facts, fixed: undefined, concurrency: 200 }, SCALING_DEFAULTS, memory, atMs)
      memory = decision.memory
      const next = scalingStatusOf(decision, status, atMs)
      if (next !== status && poll > 2) writes++
      status = next
    }
    expect(writes).toBe(0)
  })

  it('keeps the last ten changes', () => {
    let status: ScalingStatus | undefined
    for (let index = 0; index < 15; index++)
      status = scalingStatusOf(decided(index % 2 === 0 ? 0 : 900, 3), status, NOW)
    expect(status?.history).toHaveLength(10)
  })

  it.each([0, 1, 60, 5000])('leads to the same decision again, of %i waiting messages', (ready) => {
    const decision = decided(ready, 3)
    const pasted = JSON.parse(JSON.stringify(scalingStatusOf(decision, undefined, NOW))) as ScalingStatus
    expect(replay(pasted, SCALING_DEFAULTS)).toEqual(decision.verdict)
  })
  it('leads to another by another block', () =>
    expect(replay(first, { ...SCALING_DEFAULTS, maxReplicaCount: 5 }).desired).toBe(5))
})
