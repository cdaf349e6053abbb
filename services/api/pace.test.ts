import { expect, it } from 'vitest'
import { createPace } from './pace.ts'

/** A clock that only a delay moves. */
const clock = () => {
  let nowMs = 1_000
  const pass = (ms: number): void => {
    nowMs += ms
  }
  return { now: () => nowMs, delay: async (ms: number) => pass(ms), pass }
}

it('ten at four a second take two and a quarter seconds', async () => {
  const { now, delay } = clock()
  const pace = createPace(4, now, delay)
  for (let turn = 0; turn < 10; turn++) await pace()
  expect(now()).toBe(1_000 + 2_250)
})

it('a pause is not made up for by a burst', async () => {
  const { now, delay, pass } = clock()
  const pace = createPace(1, now, delay)
  await pace()
  pass(60_000)
  await pace()
  await pace()
  expect(now()).toBe(1_000 + 60_000 + 1_000)
})
