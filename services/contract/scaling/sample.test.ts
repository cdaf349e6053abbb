import { describe, expect, it } from 'vitest'
import { arrivalRate, contradictionIn, isSound, lately, rateOver, type Sample, withLook } from './sample.ts'

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
    ['is not known after one look', looks(5), undefined],
    ['is what it was before and after a node of the broker went', looks(5, 50, 50, -400, 50), 10],
    ['is what it was before and after a node came back with what it had counted', looks(5, 50, 50, 4000, 50), 10],
    ['is what it was when a node went and came back', looks(5, 50, -400, 4000, 50), 10],
    ['is not known when the counters have only fallen', looks(5, -400), undefined],
    ['looks a minute apart', looks(60, 600, 600, 600), 10],
    ['looks more often than the counters move', looks(1, 0, 0, 0, 0, 50, 0, 0, 0, 0, 50, 0, 0, 0, 0, 50), 10],
  ])('%s', (_, samples, perSecond) => expect(arrivalRate(samples)).toBe(perSecond))
})

it('a counter that fell says nothing: what it grew by is not known', () => {
  const [first, second, third] = looks(5, 100, 100) as [Sample, Sample, Sample]
  expect(rateOver([first, second, { ...third, published: 20 }], 'published')).toBeUndefined()
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
  ])('%s', (_, last, expected) => expect(contradictionIn([first, last], 5)).toBe(expected))

  it.each(['published', 'acked'] as const)('is that the counter of messages %s fell', (counter) =>
    expect(contradictionIn([second, { ...second, atMs: 10_000, [counter]: -1 }], 5)).toBe("the broker's counters fell"),
  )
})

/** Looks at a queue of 500 that ten a second come into and leave; `more` happens to one of them. */
const flowing = (at: number, more: Partial<Record<'ready' | 'published' | 'acked', number>>): Sample[] =>
  [0, 1, 2, 3].map((index) => {
    const passed = 1000 + index * 50
    const add = (name: 'ready' | 'published' | 'acked') => (index >= at ? (more[name] ?? 0) : 0)
    return {
      atMs: index * 5000,
      ready: 500 + add('ready'),
      unacked: 20,
      published: passed + add('published'),
      acked: passed + add('acked'),
    }
  })

describe('looks that a rate may be learnt from', () => {
  it.each([
    ['agree', flowing(0, {}), true],
    ['are not those between which a node of the broker went', flowing(2, { published: -900, acked: -900 }), false],
    ['nor those between which it came back', flowing(2, { published: 400_000, acked: 400_000 }), false],
    ['with messages acknowledged that nobody published', flowing(2, { acked: 400_000 }), false],
    ['with messages published that nobody finds', flowing(2, { published: 400_000 }), false],
    ['may have a burst between them', flowing(2, { published: 6000, ready: 6000 }), true],
    ['may differ by as much as one counter is older than the other', flowing(2, { acked: 50 }), true],
  ])('%s', (_, samples, expected) => expect(isSound(samples)).toBe(expected))

  it('may have jobs that all end at once', () => {
    const [first, second, third] = flowing(0, {}) as [Sample, Sample, Sample]
    const [held, ended] = [2000, 2000]
    const waves = [
      { ...first, unacked: held, published: 1000, acked: 1000 },
      { ...second, unacked: held, published: 1000, acked: 1000 },
      { ...third, ready: 4000, unacked: held, published: 1000 + ended + 3500, acked: 1000 + ended },
    ]
    expect(isSound(waves)).toBe(true)
  })
})

describe.each([1, 5, 8, 15, 60, 300])('with a look every %i s', (pollingInterval) => {
  const all = Array.from({ length: 100 }, (_, index) => ({
    atMs: index * pollingInterval * 1000,
    ready: 0,
    unacked: 0,
    published: index * pollingInterval * 10,
    acked: 0,
  }))
  const kept = all.reduce<Sample[]>((before, look) => withLook(before, look, pollingInterval), [])
  it('enough are kept to tell what arrives', () => expect(arrivalRate(kept)).toBe(10))
  it('three or more are late ones', () => expect(lately(kept, pollingInterval).length).toBeGreaterThanOrEqual(3))
  it('those of more than a minute and some polls ago are forgotten', () =>
    expect(kept.length).toBeLessThanOrEqual(Math.max(60 / pollingInterval, 5) + 1))
})

describe('a look', () => {
  const [first, second] = looks(5, 50) as [Sample, Sample]
  it.each([
    ['that is there already is kept once', second, [first, second]],
    ['that is older than the last, as after one that woke the pipeline, is no news', first, [first, second]],
    [
      'of a clock that was set back an hour begins anew',
      { ...second, atMs: -3_600_000 },
      [{ ...second, atMs: -3_600_000 }],
    ],
  ])('%s', (_, look, expected) => expect(withLook([first, second], look, 5)).toEqual(expected))
})
