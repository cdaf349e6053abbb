import { expect, it } from 'vitest'
import { createEventSeries } from './event-series.ts'

const MINUTE_MS = 60_000

const world = () => {
  let nowMs = 0
  const series = createEventSeries(() => nowMs)
  return {
    pass: (ms: number) => {
      nowMs += ms
    },
    happened: (key: string, regarding = 'a') => series.happened(key, regarding, key).what,
    due: () => series.due().map(({ name, count }) => `${name} ${count}`),
    unsent: () => series.unsent().map(({ name, count }) => `${name} ${count}`),
  }
}

it('the first is sent, the second makes it a series, and the others are counted', () => {
  const { happened, unsent } = world()
  expect(['x', 'x', 'x', 'x', 'y'].map((key) => happened(key))).toEqual([
    'first',
    'again',
    'counted',
    'counted',
    'first',
  ])
  expect(unsent()).toEqual(['x 4'])
})

it('a series tells its count when it is over, which is after 6 quiet minutes, and the next is a new one', () => {
  const { happened, pass, due } = world()
  for (const _ of [1, 2, 3]) happened('x')
  pass(6 * MINUTE_MS - 1)
  expect(due()).toEqual([])
  pass(1)
  expect([due(), due()]).toEqual([['x 3'], []])
  expect(happened('x')).toBe('first')
})

it('a series that does not end tells its count twice an hour', () => {
  const { happened, pass, due } = world()
  const told: string[] = []
  for (let minute = 0; minute < 62; minute++) {
    happened('x')
    told.push(...due())
    pass(MINUTE_MS)
  }
  expect(told).toEqual(['x 32', 'x 62'])
})

it('an object has 25 events at once and then one in 5 minutes, and does not take those of another', () => {
  const { happened, pass } = world()
  const burst = Array.from({ length: 30 }, (_, number) => happened(`x${number}`))
  expect(burst.filter((what) => what === 'spam').length).toBe(5)
  expect(happened('y', 'another')).toBe('first')
  pass(5 * MINUTE_MS)
  expect([happened('z'), happened('zz')]).toEqual(['first', 'spam'])
})

it('what is kept is bounded', () => {
  const { happened, unsent } = world()
  for (let number = 0; number < 5_000; number++) for (const _ of [1, 2, 3]) happened(`x${number}`, `of ${number}`)
  expect(unsent().length).toBe(4_096)
})
