import fc from 'fast-check'
import { expect, it } from 'vitest'
import { canonical, hashOf, isSame } from './canonical.ts'

it('the text of a value is JSON of the same value', () =>
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      // A JSON text knows no -0.
      expect(JSON.parse(canonical(value))).toEqual(JSON.parse(JSON.stringify(value)))
    }),
  ))

it.each([
  ['the order of fields', { a: 1, b: { c: 2, d: 3 } }, { b: { d: 3, c: 2 }, a: 1 }],
  ['a field that is undefined', { a: 1 }, { a: 1, b: undefined }],
])('%s makes no difference', (_, one, other) => expect(hashOf(one)).toBe(hashOf(other)))

it('the order of a list does', () => expect(hashOf([1, 2])).not.toBe(hashOf([2, 1])))

/** Like `value`, with some fields in another order, undefined or changed. */
const like = (value: fc.JsonValue): fc.Arbitrary<unknown> =>
  fc.oneof(
    fc.constant(value),
    fc.constant(JSON.parse(JSON.stringify(value))),
    fc.jsonValue(),
    fc.constant(
      typeof value === 'object' && value !== null && !Array.isArray(value)
        ? { none: undefined, ...Object.fromEntries(Object.entries(value).reverse()) }
        : [value],
    ),
  )

it('two values are the same when their texts are', () =>
  fc.assert(
    fc.property(
      fc.jsonValue().chain((one) => fc.tuple(fc.constant(one), like(one))),
      ([one, other]) => {
        expect(isSame(one, other)).toBe(canonical(one) === canonical(other))
      },
    ),
    { numRuns: 2_000 },
  ))
