import { existsSync, readFileSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { Ajv2020 } from 'ajv/dist/2020.js'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MAX_POINTS, POINT_WIDTH, readRecording } from './recording.ts'
import { readOrigin, readSummary } from './recording-body.ts'
import { scanRecording } from './recording-scan.ts'
import { toSummary } from './signal.ts'

const NOW = Date.UTC(2025, 0, 1)
const DEVICE = '66bb584d4ae73e488c30a072'
const TIME = '1735683480000'

/** The contract's body as a JSON Schema, written from the document and not from the code. */
const number = (minimum: number, maximum: number) => ({ type: 'number', minimum, maximum })
const tuple = (...items: object[]) => ({ type: 'array', prefixItems: items, items: false, minItems: items.length })
const record = (properties: object) => ({
  type: 'object',
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
})
const TIMESTAMP = { type: 'integer', minimum: Date.UTC(2000, 0, 1), maximum: NOW + 24 * 3600 * 1000 }
const DATA = {
  type: 'array',
  minItems: 1,
  maxItems: 1000,
  items: tuple(
    { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER },
    tuple(number(-90, 90), number(-180, 180), number(0, Number.MAX_VALUE)),
  ),
}
const satisfiesSchema = new Ajv2020().compile({
  anyOf: [
    record({ deviceId: { type: 'string', pattern: '^[0-9a-f]{24}$' }, timestamp: TIMESTAMP, data: DATA }),
    {
      type: 'object',
      minProperties: 1,
      maxProperties: 1,
      additionalProperties: false,
      patternProperties: { '^[0-9a-f]{24}$': record({ data: DATA, time: TIMESTAMP }) },
    },
  ],
})

/** Judges a body without any code of ours. */
const isRecording = (body: Buffer): boolean => {
  const text = body.toString('utf8')
  if (!Buffer.from(text).equals(body)) return false // what is not UTF-8 does not come back
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return false
  }
  if (!satisfiesSchema(value)) return false
  // JSON.parse drops the first of two equal keys: four strings stand in the seed's form, three in the predecessor's.
  const strings = text.match(/"(\\.|[^"\\])*"/g) ?? []
  return strings.length === (Object.keys(value as object).length === 1 ? 3 : 4)
}

const scanned = (body: Buffer) => {
  const points = new Float64Array(POINT_WIDTH * MAX_POINTS)
  const scan = scanRecording(body, NOW, points)
  if (scan === undefined) return undefined
  const data = Array.from({ length: scan.points }, (_, i) => {
    const [offsetMs, ...position] = points.subarray(i * POINT_WIDTH, (i + 1) * POINT_WIDTH)
    return [offsetMs, position]
  })
  return { deviceId: scan.deviceId, timestamp: scan.timestamp, data }
}

/** Fails unless all readers of this body, and the judge, say the same to the last bit. */
const agree = (body: Buffer): void => {
  const exact = readRecording(body, NOW)
  const scan = scanned(body)
  const [origin, summary] = [readOrigin(body, NOW), readSummary(body, NOW)]
  const same =
    exact.ok === isRecording(body) &&
    (scan === undefined || (exact.ok && isDeepStrictEqual(scan, exact.recording))) &&
    (exact.ok
      ? isDeepStrictEqual(summary, { ok: true, summary: toSummary(exact.recording) }) &&
        isDeepStrictEqual(origin, {
          ok: true,
          deviceId: exact.recording.deviceId,
          timestamp: exact.recording.timestamp,
        })
      : isDeepStrictEqual(summary, exact) && isDeepStrictEqual(origin, exact))
  if (!same) expect({ exact, scan, origin, summary }).toBe(`what the judge says: ${isRecording(body)}`)
}

const point = fc.tuple(
  fc.nat(),
  fc.tuple(
    fc.double({ min: -90, max: 90, noNaN: true }),
    fc.double({ min: -180, max: 180, noNaN: true }),
    fc.double({ min: 0, max: Number.MAX_VALUE, noNaN: true }),
  ),
)
const points = fc.array(point, { minLength: 1, maxLength: 5 })
const inForm = (data: unknown, form: string): object =>
  form === 'seed'
    ? { deviceId: DEVICE, timestamp: Number(TIME), data }
    : { [DEVICE]: { time: Number(TIME), data: data } }

/** What may stand where a number should, by mistake or by an unusual printer. */
const ODD = [
  '-0',
  '1e0',
  '0.5E+1',
  '1e999',
  '-1',
  '01',
  '1.',
  '.5',
  '+1',
  '-90',
  '90.00000000000001',
  '180.0000000000001',
]
const ODDER = [
  '',
  'null',
  '""',
  '[]',
  '{}',
  'NaN',
  '9007199254740991',
  '9007199254740992',
  '12e-1',
  '0.0',
  '-0.0',
  '181',
]
const written = (usual: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.oneof({ weight: 30, arbitrary: usual }, { weight: 1, arbitrary: fc.constantFrom(...ODD, ...ODDER) })
const digits = fc.stringMatching(/^[0-9]{1,19}$/)
const fraction = (least: number, most: number) =>
  fc.tuple(fc.integer({ min: least, max: most }), digits).map(([whole, after]) => `${whole}.${after}`)
const wirePoint = fc
  .tuple(
    written(fc.oneof(fc.nat(), fc.maxSafeNat()).map(String)),
    written(fraction(-89, 89)),
    written(fraction(-179, 179)),
    written(fraction(0, 50)),
  )
  .map(([offset, lat, lon, speed]) => ['[', offset, ',', '[', lat, ',', lon, ',', speed, ']', ']'])

const wireData = fc
  .array(wirePoint, { minLength: 1, maxLength: 4 })
  .map((all) => ['[', ...all.flatMap((one, index) => (index === 0 ? one : [',', ...one])), ']'])

const KEYS = ['"deviceId"', '"timestamp"', '"data"', '"time"', `"${DEVICE}"`, '"dat\\u0061"', '"x"', '"__proto__"']
const IDS = [`"${DEVICE}"`, `"${DEVICE.toUpperCase()}"`, `"${DEVICE}0"`, '"66bb584d4ae73e488c30a07\\u0032"', '1']
const wireTime = written(
  fc.constantFrom(TIME, TIME, TIME, `${TIME}.0`, '946684800000', '946684799999', '1735776000001'),
)
type Field = [key: string, value: string[]]
const field = (key: string, value: fc.Arbitrary<string[]>): fc.Arbitrary<Field> =>
  fc.tuple(fc.oneof({ weight: 40, arbitrary: fc.constant(key) }, fc.constantFrom(...KEYS)), value)
const one = (value: fc.Arbitrary<string>) => value.map((text) => [text])

/** Mostly the right fields in any order, sometimes one more or one less. */
const fieldsIn = (right: fc.Arbitrary<Field>[]): fc.Arbitrary<string[]> =>
  fc
    .tuple(fc.tuple(...right), fc.integer({ min: 0, max: 19 }), fc.array(fc.nat(), { minLength: 4, maxLength: 4 }))
    .map(([fields, change, order]) => {
      const changed =
        change === 0
          ? fields.slice(1)
          : change === 1
            ? [...fields, fields[(order[0] as number) % fields.length] as Field]
            : fields
      const mixed = changed
        .map((each, index) => ({ each, rank: order[index] as number }))
        .sort((a, b) => a.rank - b.rank)
        .flatMap(({ each: [key, value] }, index) => [...(index === 0 ? [] : [',']), key, ':', ...value])
      return ['{', ...mixed, '}']
    })
const id = fc.oneof({ weight: 20, arbitrary: fc.constant(`"${DEVICE}"`) }, fc.constantFrom(...IDS))
const seedForm = fieldsIn([
  field('"deviceId"', one(id)),
  field('"timestamp"', one(wireTime)),
  field('"data"', wireData),
])
const predecessorForm = fc
  .tuple(id, fieldsIn([field('"time"', one(wireTime)), field('"data"', wireData)]))
  .map(([key, inner]) => ['{', key, ':', ...inner, '}'])

const space = fc.constantFrom('', '', '', ' ', '\n  ', '\t', '\r\n', '    ')
const wireBody = fc
  .tuple(fc.oneof(seedForm, predecessorForm), fc.array(space, { minLength: 1, maxLength: 7 }))
  .map(([tokens, spaces]) => tokens.map((token, i) => token + (spaces[i % spaces.length] as string)).join(''))

const INTERESTING = [...'{}[]",:.-+eE0159 \n\tafg`x\\/\0', '\u00e9', '\ufeff', '\u2028', '\u0660'].map((text) =>
  Buffer.from(text),
)
const bytes = fc.oneof(
  fc.constantFrom(...INTERESTING, Buffer.from([0xff]), Buffer.from([0xc0, 0xaf]), Buffer.from([0xed, 0xa0, 0x80])),
  fc.uint8Array({ minLength: 1, maxLength: 3 }).map((array) => Buffer.from(array)),
)
type Mutation = {
  kind: 'replace' | 'insert' | 'remove' | 'truncate' | 'double'
  at: number
  length: number
  bytes: Buffer
}
const mutation: fc.Arbitrary<Mutation> = fc.record({
  kind: fc.constantFrom('replace', 'insert', 'remove', 'truncate', 'double'),
  at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
  length: fc.integer({ min: 1, max: 12 }),
  bytes,
})
const mutated = (body: Buffer, { kind, at, length, bytes }: Mutation): Buffer => {
  const start = Math.floor(at * (body.length + 1))
  const [before, here, after] = [body.subarray(0, start), body.subarray(start, start + length), body.subarray(start)]
  switch (kind) {
    case 'replace':
      return Buffer.concat([before, bytes, body.subarray(start + bytes.length)])
    case 'insert':
      return Buffer.concat([before, bytes, after])
    case 'remove':
      return Buffer.concat([before, body.subarray(start + length)])
    case 'truncate':
      return before
    case 'double':
      return Buffer.concat([before, here, after])
    default: {
      const missed: never = kind
      throw new Error(`unhandled mutation ${missed}`)
    }
  }
}

describe('all readers and a JSON Schema of the contract agree', () => {
  it('on bodies whose fields, numbers, keys and white space are varied', () =>
    fc.assert(
      fc.property(wireBody, (text) => agree(Buffer.from(text))),
      { numRuns: 2000 },
    ))

  it('on such bodies with bytes replaced, put in, taken out, cut off or doubled', () =>
    fc.assert(
      fc.property(wireBody, fc.array(mutation, { minLength: 1, maxLength: 3 }), (text, mutations) =>
        agree(mutations.reduce(mutated, Buffer.from(text))),
      ),
      { numRuns: 2000 },
    ))

  it('on a body with each of its bytes replaced in turn by each interesting one', () => {
    for (const form of ['seed', 'predecessor']) {
      const body = Buffer.from(JSON.stringify(inForm([[762, [51.339764, -12.339223833333334, 1.2]]], form)))
      for (let at = 0; at < body.length; at++)
        for (const bytes of INTERESTING) agree(Buffer.concat([body.subarray(0, at), bytes, body.subarray(at + 1)]))
    }
  })

  it('on a body with each of its numbers replaced in turn by each odd one', () => {
    for (const form of ['seed', 'predecessor']) {
      const text = JSON.stringify(inForm([[762, [51.5, 12.25, 1.75]]], form))
      for (const number of [TIME, '762', '51.5', '12.25', '1.75'])
        for (const odd of [...ODD, ...ODDER, '946684799999', '946684800000', String(NOW + 86_400_001)])
          agree(Buffer.from(text.replace(number, odd)))
    }
  })

  it('on every choice of up to four fields, missing and double ones included', () => {
    const fields = [`"deviceId":"${DEVICE}"`, `"timestamp":${TIME}`, `"time":${TIME}`, '"data":[[1,[2,3,4]]]']
    const choices = (length: number): string[][] =>
      length === 0 ? [[]] : choices(length - 1).flatMap((choice) => fields.map((field) => [...choice, field]))
    for (const length of [0, 1, 2, 3, 4])
      for (const choice of choices(length)) {
        agree(Buffer.from(`{${choice.join(',')}}`))
        agree(Buffer.from(`{"${DEVICE}":{${choice.join(',')}}}`))
      }
  })

  it('on a body that ends at each of its bytes, with and without a brace', () => {
    for (const form of ['seed', 'predecessor']) {
      const text = JSON.stringify(inForm([[762, [51.339764, 12.339223833333334, 1.2]]], form))
      for (let end = 0; end <= text.length; end++)
        for (const tail of ['', '}', '}}', ' }\n']) agree(Buffer.from(text.slice(0, end) + tail))
    }
  })
})

describe('the scan declines nothing that a device usually sends', () => {
  const usual = (text: string): void => {
    const body = Buffer.from(text)
    expect(scanned(body)).toBeDefined()
    agree(body)
  }
  it.each(['seed', 'predecessor'])('in the form of the %s, however it is indented', (form) =>
    fc.assert(
      fc.property(points, fc.constantFrom(undefined, 1, 4, '\t'), (data, indent) =>
        usual(JSON.stringify(inForm(data, form), null, indent)),
      ),
      { numRuns: 300 },
    ),
  )
  it('nor a thousand points', () => usual(JSON.stringify(inForm(Array(MAX_POINTS).fill([1, [2, 3, 4]]), 'seed'))))
  it('but a thousand and one', () => {
    const body = Buffer.from(JSON.stringify(inForm(Array(MAX_POINTS + 1).fill([1, [2, 3, 4]]), 'seed')))
    expect(scanned(body)).toBeUndefined()
    agree(body)
  })
  it('nor a real recording', (context) => {
    const real = '../shared/data/leipzig-track.json'
    context.skip(!existsSync(real), `the real recording, ${real}, is not beside this checkout`)
    usual(readFileSync(real, 'utf8'))
  })
})

it('one reading leaves nothing behind for the next', () => {
  const long = Buffer.from(
    JSON.stringify(
      inForm(
        [
          [1, [2, 3, 4]],
          [5, [6, 7, 8]],
        ],
        'seed',
      ),
    ),
  )
  const short = Buffer.from(JSON.stringify(inForm([[0, [0, 0, 0]]], 'seed')))
  const first = readSummary(long, NOW)
  const expected = structuredClone(first)
  readSummary(short, NOW)
  expect(first).toEqual(expected)
  expect(readSummary(short, NOW)).toMatchObject({ summary: { dataPoints: 1, stats: { maxSpeed: 0 } } })
})

it('a body that shares its memory with others is read within its bounds', () => {
  const text = JSON.stringify(inForm([[1, [2.5, 3.25, 4]]], 'seed'))
  const pool = Buffer.from(`[[9,${text}${text}`)
  const body = pool.subarray(4, 4 + text.length)
  expect(scanned(body)).toBeDefined()
  agree(body)
  agree(pool.subarray(4, 3 + text.length))
})
