import { expect, it } from 'vitest'
import { readTraceparent, toTraceparent } from './traceparent.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const SPAN = '00f067aa0ba902b7'

it.each([
  ['01', true],
  ['00', false],
  ['03', true],
])('a traceparent with the flags %s is read', (flags, sampled) =>
  expect(readTraceparent(`00-${TRACE}-${SPAN}-${flags}`)).toEqual({ traceId: TRACE, spanId: SPAN, sampled }),
)

it.each([
  ['absent', undefined],
  ['sent twice', [`00-${TRACE}-${SPAN}-01`, `00-${TRACE}-${SPAN}-01`]],
  ['in upper case', `00-${TRACE.toUpperCase()}-${SPAN}-01`],
  ['without flags', `00-${TRACE}-${SPAN}`],
  ['with more behind it', `00-${TRACE}-${SPAN}-01-x`],
  ['of the forbidden version', `ff-${TRACE}-${SPAN}-01`],
  ['of no trace', `00-${'0'.repeat(32)}-${SPAN}-01`],
  ['of no span', `00-${TRACE}-${'0'.repeat(16)}-01`],
])('one that is %s is none', (_, value) => expect(readTraceparent(value)).toBeUndefined())

it.each([true, false])('what is written is read back, sampled or not: %s', (sampled) => {
  const context = { traceId: TRACE, spanId: SPAN, sampled }
  expect(readTraceparent(toTraceparent(context))).toEqual(context)
})
