import { describe, expect, it } from 'vitest'
import { arrivalRate, contradictionIn, rateOver, type Sample } from './sample.ts'

/** Looks every `everySeconds`, each with the growth of published messages since the former. */
const looks = (everySeconds: number, ...grown: number[]): Sample[] => {
  let published = 0
  return [0, ...grown].map((growth, index) => {
    published += growth
    return { atMs: index * everySeconds * 1000, ready: published, unacked: 0, published, acked: 0 }
  })
}

describe('what arrives in a second', () => {
  it.each([
    ['is the growth of the counter', looks(5, 50, 50, 50), 10],
    ['is not what one burst brought: its messages wait already', looks(5, 0, 6000, 0), 0],
    ['is a step after its second interval', looks(5, 0, 500, 500), 100],
    ['is the lower of two intervals', looks(5, 10, 500), 2],
    ['is the only interval', looks(5, 10), 2],
    ['is none of one look', looks(5), 0],
    ['looks more often than the counters move', looks(1, 0, 0, 0, 0, 50, 0, 0, 0, 0, 50, 0, 0, 0, 0, 50), 10],
  ])('%s', (_, samples, perSecond) => expect(arrivalRate(samples)).toBe(perSecond))
})

it('a counter that fell was reset, and its new value is what has grown', () => {
  const [first, second, third] = looks(5, 100, 100) as [Sample, Sample, Sample]
  expect(rateOver([first, second, { ...third, published: 20 }], 'published')).toBe(12)
})

it('a rate over less time than the counters need to move is not known', () =>
  expect(rateOver(looks(1, 50), 'published')).toBeUndefined())

describe('a contradiction', () => {
  const [first, second] = looks(5, 1000) as [Sample, Sample]
  it.each([
    ['is none when depth and counters agree', second, undefined],
    ['is none when they differ by a little', { ...second, ready: 920 }, undefined],
    ['is none when more is there than was published', { ...second, ready: 5000 }, undefined],
    ['is that messages are gone', { ...second, ready: 0 }, 'messages are gone that nobody acknowledged'],
    ['is none when they were acknowledged', { ...second, ready: 0, acked: 1000 }, undefined],
  ])('%s', (_, last, expected) => expect(contradictionIn([first, last])).toBe(expected))

  it('is that counters began again', () =>
    expect(contradictionIn([second, { ...second, atMs: 10_000, published: 3 }])).toBe(
      "the broker's counters began again",
    ))
})
