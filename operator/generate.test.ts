import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { DEFAULTS } from '#contract/pipeline.ts'
import type { Schema } from './crd/schema.ts'
import { specSchema } from './crd/spec.ts'
import { CRD_FILE, crdYaml, REFERENCE_FILE, reference } from './generate.ts'

it('the chart ships the definition that this operator was built for', () =>
  expect(readFileSync(CRD_FILE, 'utf8')).toBe(crdYaml()))

it('the reference is that of this definition, with the samples as they are', () =>
  expect(readFileSync(REFERENCE_FILE, 'utf8')).toBe(reference()))

const walk = (schema: Schema, path: string): [string, Schema][] => [
  [path, schema],
  ...Object.entries(schema.properties ?? {}).flatMap(([name, property]) => walk(property, `${path}.${name}`)),
  ...(schema.items === undefined ? [] : walk(schema.items, `${path}[]`)),
]

const filled = (schema: Schema): unknown =>
  schema.properties === undefined
    ? schema.default
    : Object.fromEntries(
        Object.entries(schema.properties).flatMap(([name, property]) => {
          const value = filled(property)
          return value === undefined || (property.default === undefined && property.properties !== undefined)
            ? []
            : [[name, value]]
        }),
      )

describe('the schema of spec', () => {
  it('describes every field', () =>
    expect(
      walk(specSchema, 'spec')
        .filter(([path, schema]) => !path.endsWith('[]') && !schema.description)
        .map(([path]) => path),
    ).toEqual([]))
  it('fills in the defaults of the contract, all of them and no others', () =>
    expect(filled(specSchema)).toEqual(DEFAULTS))
})
