import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { NOWHERE, pastDigits, readDecimal, sourceOf, wholeBetween } from './decimal.ts'

/** What is read from the text when so much follows it; undefined where no number stands. */
const read = (text: string, after: string): { value: number; length: number } | undefined => {
  const out = new Float64Array(1)
  const at = readDecimal(sourceOf(Buffer.from(text + after)), 0, out, 0)
  return at === NOWHERE ? undefined : { value: out[0] as number, length: at }
}

/** Far from the end a number is read by words, close to it byte by byte. */
const PLACES = [
  ['far from the end', `,${' '.repeat(40)}`],
  ['close to the end', '}'],
]

describe.each(PLACES)('a number %s', (_, after) => {
  it.each([
    '0',
    '-0',
    '-0.0',
    '7',
    '180',
    '12345',
    '9007199254740993',
    '123456789012345678901234567890',
    '1.5',
    '-1.25',
    '51.339764',
    '12.339223833333334',
    '0.30000000000000004',
    '0.7241320000000001',
    '0.0000000000000000001',
    '1234.123456789012345',
    '9999.999999999999999',
    '12.34567890123456789012',
    '9.007199254740993',
    '9007.199254740993',
    '90071992.54740993',
    '0.1234567890123456789',
    '2.00000000000000011102230246251565404', // between two doubles, by a hair
    '1e3',
    '1E+2',
    '1.5e-7',
    '0e0',
    '1e999',
    '-1e999',
    '5e-324',
    '1.7976931348623157e308',
    '2.2250738585072011e-308',
  ])('is the double that JSON.parse gives: %s', (text) =>
    expect(read(text, after)).toEqual({ value: JSON.parse(text), length: text.length }),
  )

  it.each(['', '-', '.5', '+1', '00', '01.5', '-01', '1.', '1.e3', '1e', '1e+', '- 1', 'NaN', 'Infinity', '"1"', '٣'])(
    'is none: %j',
    (text) => expect(read(text, after)).toBeUndefined(),
  )

  it('is the double that JSON.parse gives, however many digits it has', () => {
    const decimal = fc
      .tuple(
        fc.constantFrom('', '-'),
        fc.integer({ min: 0, max: 4 }),
        fc.nat(99_999),
        fc.integer({ min: 1, max: 21 }),
        fc.bigInt({ min: 10n ** 21n, max: 10n ** 22n }),
      )
      .map(([sign, whole, a, places, b]) => `${sign}${a % 10 ** whole}.${String(b).slice(-places)}`)
    const printed = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value))
    const track = fc.double({ min: -180, max: 180, noNaN: true }).map((value) => value.toPrecision(17))
    fc.assert(
      fc.property(fc.oneof(decimal, printed, track), (text) => {
        expect(read(text, after)).toEqual({ value: JSON.parse(text), length: text.length })
      }),
      { numRuns: 3000 },
    )
  })

  // 16 digits of which only one stands in the first word: the quotient's correction, and with it its error, is large.
  it('is right where the computed quotient is least exact', () =>
    fc.assert(
      fc.property(fc.bigInt({ min: 2n ** 53n, max: 10n ** 16n - 1n }), (digits) => {
        const text = `0.000${digits}`
        expect(read(text, after)?.value).toBe(JSON.parse(text))
      }),
      { numRuns: 1000 },
    ))

  it('is right where the text lies between two doubles, one digit more or less', () => {
    const between = fc.tuple(fc.double({ min: 0.001, max: 180, noNaN: true }), fc.integer({ min: -2, max: 2 }))
    fc.assert(
      fc.property(between, ([value, digits]) => {
        const middle = (value + value * 2 ** -53).toPrecision(17 + digits)
        expect(read(middle, after)).toEqual({ value: JSON.parse(middle), length: middle.length })
      }),
      { numRuns: 1000 },
    )
  })
})

it('a number is read however many bytes follow it', () => {
  for (const text of ['-1234.1234567890123456', '-1234.123456789012', '12.339223833333334', '7', '-0.5'])
    for (let bytes = 0; bytes < 40; bytes++)
      expect(read(text, ','.repeat(bytes)), `${text} and ${bytes} bytes`).toEqual({
        value: JSON.parse(text),
        length: text.length,
      })
})

describe('a whole number', () => {
  const whole = (text: string) => {
    const bytes = Buffer.from(`${text},`)
    return wholeBetween(bytes, 0, pastDigits(bytes, 0))
  }
  it.each([
    ['0', 0],
    ['762', 762],
    ['1735683480000', 1735683480000],
    ['999999999999999', 999999999999999],
  ])('%s is read', (text, value) => expect(whole(text)).toBe(value))
  it.each(['', '-1', '00', '01', '1000000000000000'])('%j is not', (text) => expect(whole(text)).toBeNaN())
})
