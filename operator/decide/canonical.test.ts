import fc from 'fast-check'
import { expect, it } from 'vitest'
import { canonical, hashOf } from './canonical.ts'

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
