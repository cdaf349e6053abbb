import fc from 'fast-check'
import { expect, it } from 'vitest'
import { createTally } from './acker.ts'

it.each<[string, number[][], { upTo: number; single: number[] }]>([
  ['a whole batch is one acknowledgement', [[1, 2, 3]], { upTo: 3, single: [] }],
  ['in whatever order it was handled', [[2, 3, 1]], { upTo: 3, single: [] }],
  ['a later batch never speaks for an earlier one', [[3, 4]], { upTo: 0, single: [3, 4] }],
  [
    'an earlier batch stops at its own end',
    [
      [3, 4],
      [1, 2],
    ],
    { upTo: 2, single: [] },
  ],
  ['the next goes on after both', [[3, 4], [1, 2], [5]], { upTo: 5, single: [] }],
  ['a gap parts what is together from what is alone', [[1, 2, 4]], { upTo: 2, single: [4] }],
])('%s', (_, turns, last) => {
  const tally = createTally()
  expect(turns.map(tally.acknowledge).at(-1)).toEqual(last)
})

it('what was given back is not in the way', () => {
  const tally = createTally()
  tally.settled(2)
  expect(tally.acknowledge([1, 3])).toEqual({ upTo: 3, single: [] })
})

/** The broker's side of a channel, as RabbitMQ keeps it: what is unsettled, and an error for a tag that is not. */
const broker = (tags: number) => {
  const unsettled = new Set(Array.from({ length: tags }, (_, index) => index + 1))
  const take = (tag: number): void => {
    if (!unsettled.delete(tag)) throw new Error(`unknown delivery tag ${tag}`)
  }
  return {
    unsettled,
    take,
    takeUpTo: (last: number) => {
      if (!unsettled.has(last)) throw new Error(`unknown delivery tag ${last}`)
      for (const tag of [...unsettled]) if (tag <= last) take(tag)
    },
  }
}

it('after every turn exactly what was settled is settled at the broker', () =>
  fc.assert(
    fc.property(
      fc
        .shuffledSubarray(
          Array.from({ length: 60 }, (_, index) => index + 1),
          { minLength: 1 },
        )
        .chain((order) =>
          fc.tuple(
            fc.constant(order),
            fc.array(fc.tuple(fc.integer({ min: 1, max: 20 }), fc.boolean()), { minLength: 1, maxLength: 30 }),
          ),
        ),
      ([order, turns]) => {
        const tally = createTally()
        const { unsettled, take, takeUpTo } = broker(60)
        const expected = new Set(unsettled)
        const rest = [...order]
        for (const [count, requeue] of turns) {
          const tags = rest.splice(0, count)
          if (requeue)
            for (const tag of tags) {
              take(tag)
              tally.settled(tag)
            }
          else {
            const { upTo, single } = tally.acknowledge(tags)
            if (upTo > 0) takeUpTo(upTo)
            single.forEach(take)
          }
          for (const tag of tags) expected.delete(tag)
          expect(unsettled).toEqual(expected)
        }
      },
    ),
  ))
