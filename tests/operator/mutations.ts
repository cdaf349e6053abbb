import type { Schema } from '../../operator/crd/schema.ts'

/** One change of one field of a spec, by its path. */
export type Mutation = { path: string[]; what: string; value: unknown }

const HUGE = 'x'.repeat(10_000)

const ofText = ({ enum: words, maxLength = 0, pattern }: Schema): [string, unknown][] => [
  ...(words ?? []).map((word): [string, unknown] => [`the word ${word}`, word]),
  ['no word of those', 'Nonsense'],
  ['empty', ''],
  ['a space and a quote', ' "'],
  ...(maxLength > 0 ? [['as long as may be', 'a'.repeat(maxLength)] as [string, unknown]] : []),
  ...(pattern === undefined ? [] : [['against its pattern', '!?'] as [string, unknown]]),
  ['huge', HUGE],
  ['a number', 7],
]

const ofNumber = ({ minimum, maximum }: Schema): [string, unknown][] => [
  ...(minimum === undefined
    ? []
    : ([
        ['the least', minimum],
        ['below the least', minimum - 1],
      ] as [string, unknown][])),
  ...(maximum === undefined
    ? []
    : ([
        ['the most', maximum],
        ['above the most', maximum + 1],
      ] as [string, unknown][])),
  ['a text', 'seven'],
  ['a fraction', 1.5],
]

const valuesOf = (schema: Schema): [string, unknown][] => {
  const removed: [string, unknown] = ['removed', null]
  switch (schema.type) {
    case 'string':
      return [removed, ...ofText(schema)]
    case 'integer':
    case 'number':
      return [removed, ...ofNumber(schema)]
    case 'boolean':
      return [removed, ['true', true], ['false', false], ['a text', 'yes']]
    case 'array':
      return [removed, ['empty', []], ['of the wrong kind', ['wrong', 7]], ['a text', 'none']]
    default:
      return [removed, ['empty', {}], ['with an unknown field', { unknown: 1 }], ['a text', 'none']]
  }
}

/** Every field of a schema, objects with their parts, with every kind of value that is right or wrong for it. */
export const mutationsOf = (schema: Schema, path: string[] = []): Mutation[] => {
  const parts = Object.entries(schema.properties ?? {}).flatMap(([name, part]) => mutationsOf(part, [...path, name]))
  if (path.length === 0) return parts
  return [...valuesOf(schema).map(([what, value]) => ({ path, what, value })), ...parts]
}

/** The mutation as a merge patch of a spec. */
export const patchOf = ({ path, value }: Mutation): object =>
  path.reduceRight<unknown>((inner, name) => ({ [name]: inner }), value) as object
