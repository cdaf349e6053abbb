import { expect, it } from 'vitest'
import { heldBy, isFree } from './lease.ts'

const NOW = new Date('2026-11-24T12:00:00.123Z')
const ANOTHERS = { holderIdentity: 'b', leaseDurationSeconds: 15 }

it.each([
  ['one that nobody made yet', {}, 0, true],
  ['one that was released', { holderIdentity: '', leaseDurationSeconds: 1 }, 0, true],
  ['our own', { holderIdentity: 'a', leaseDurationSeconds: 15 }, 0, true],
  ["another's that changed a moment ago", ANOTHERS, 14_999, false],
  ["another's that did not change for its duration", ANOTHERS, 15_000, true],
  ["another's whose times are of last year", { ...ANOTHERS, renewTime: '2025-01-01T00:00:00.000000Z' }, 0, false],
  ["another's whose times are of next year", { ...ANOTHERS, renewTime: '2027-01-01T00:00:00.000000Z' }, 15_000, true],
  ["another's with a duration of its own", { holderIdentity: 'b', leaseDurationSeconds: 60 }, 15_000, false],
])('a lease may be taken or not: %s', (_, spec, unchangedMs, free) => expect(isFree(spec, 'a', unchangedMs)).toBe(free))

it('a renewal keeps when it was acquired and how often it changed hands', () => {
  const taken = heldBy('a', { holderIdentity: 'b', leaseTransitions: 3, acquireTime: 'then' }, 15, NOW)
  expect(taken).toEqual({
    holderIdentity: 'a',
    leaseDurationSeconds: 15,
    acquireTime: '2026-11-24T12:00:00.123000Z',
    renewTime: '2026-11-24T12:00:00.123000Z',
    leaseTransitions: 4,
  })
  const renewed = heldBy('a', taken, 15, new Date(NOW.getTime() + 2_000))
  expect(renewed).toEqual({ ...taken, renewTime: '2026-11-24T12:00:02.123000Z' })
})
