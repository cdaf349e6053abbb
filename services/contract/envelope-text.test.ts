import fc from 'fast-check'
import { expect, it } from 'vitest'
import { readEnvelope, writeEnvelope } from './envelope-text.ts'

const value = fc.letrec<{ any: unknown }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 4 },
    fc.string(),
    fc.double().map((number) => number + 0),
    fc.boolean(),
    fc.constant(null),
    fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    fc.array(tie('any'), { maxLength: 4 }),
    fc.dictionary(fc.oneof(fc.string(), fc.constantFrom('$bytes', '$number', '$$', '!', 'a.b', '')), tie('any')),
  ),
})).any
const headers = fc.dictionary(fc.string(), value)

it('whatever headers a client made come back as they were', () =>
  fc.assert(
    fc.property(headers, (made) => {
      const { text, exact } = writeEnvelope({ messageId: 'm', timestamp: 1, headers: made })
      expect(exact).toBe(true)
      expect(readEnvelope(text)).toEqual({ messageId: 'm', timestamp: 1, headers: { ...made } })
    }),
  ))

it('a table that is nested without end is cut, and says so', () => {
  let nested: Record<string, unknown> = { end: 1 }
  for (let level = 0; level < 3000; level++) nested = { nested }
  const { text, exact } = writeEnvelope({ headers: { nested, 'x-v': 1 } })
  expect(exact).toBe(false)
  expect(readEnvelope(text).headers['x-v']).toBe(1)
})
