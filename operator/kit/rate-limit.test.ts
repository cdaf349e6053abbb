import { expect, it } from 'vitest'
import { createRateLimit } from './rate-limit.ts'

it('a key waits twice as long after each failure, a minute at the most, and starts anew when it succeeded', () => {
  let nowMs = 0
  const limit = createRateLimit(() => nowMs)
  const delays = Array.from({ length: 10 }, () => {
    nowMs += 1_000_000
    return limit.delayMs('a')
  })
  expect(delays).toEqual([250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000])
  limit.forget('a')
  nowMs += 1_000_000
  expect(limit.delayMs('a')).toBe(250)
})

it('when a thousand keys fail at once, a hundred are tried again soon and ten more each second', () => {
  let nowMs = 0
  const limit = createRateLimit(() => nowMs)
  const delays = Array.from({ length: 1_000 }, (_, key) => limit.delayMs(String(key)))
  expect(delays.filter((delay) => delay === 250).length).toBe(102)
  expect(delays.at(-1)).toBe(90_000)
  nowMs = 100_000
  expect(limit.delayMs('another')).toBe(250)
})
