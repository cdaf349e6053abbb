import { expect, it } from 'vitest'
import { createRateLimit } from './rate-limit.ts'

const takes = (perMinute: number, times: number[], device = 'a') => {
  const limit = createRateLimit(perMinute)
  return times.map((nowMs) => limit.take(device, nowMs))
}

it("a device may spend a minute's requests at once, and is then told how long to wait", () =>
  expect(takes(2, [0, 0, 0])).toEqual([{ ok: true }, { ok: true }, { ok: false, retryAfterSeconds: 30 }]))
it('the bucket fills evenly', () =>
  expect(takes(2, [0, 0, 30_000, 30_001]).map(({ ok }) => ok)).toEqual([true, true, true, false]))
it('a clock that goes back gives nothing and takes nothing', () =>
  expect(takes(1, [60_000, 0, 60_001]).map(({ ok }) => ok)).toEqual([true, false, true]))
it('devices do not share', () => {
  const limit = createRateLimit(1)
  expect([limit.take('a', 0).ok, limit.take('b', 0).ok, limit.take('a', 0).ok]).toEqual([true, true, false])
})
