import { expect, it } from 'vitest'
import { createBackoff } from './backoff.ts'

it('doubles from 0.8 to 30 s', () => {
  const backoff = createBackoff(
    () => 0,
    () => 0,
  )
  expect(Array.from({ length: 8 }, backoff.nextMs)).toEqual([800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000])
})

it('chance makes it up to twice as long, so that a thousand clients do not come back at once', () =>
  expect(
    createBackoff(
      () => 0,
      () => 0.5,
    ).nextMs(),
  ).toBe(1_200))

it('starts anew when the last wait has been over for two minutes', () => {
  let nowMs = 0
  const backoff = createBackoff(
    () => nowMs,
    () => 0,
  )
  backoff.nextMs()
  nowMs = 800 + 119_999
  expect(backoff.nextMs()).toBe(1_600)
  nowMs += 1_600 + 120_000
  expect(backoff.nextMs()).toBe(800)
})
