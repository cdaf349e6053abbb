import { describe, expect, it } from 'vitest'
import { keysSecretName, type PipelineSpec, topologySpecOf } from '#contract/pipeline.ts'
import { toTopology } from '#contract/topology.ts'
import type { Schema } from '../crd/schema.ts'
import { specSchema } from '../crd/spec.ts'
import { childrenOf } from './children.ts'
import { monitorsOf } from './monitors.ts'
import type { Pipeline } from './pipeline.ts'
import { decideKeys } from './secret-versions.ts'

/** What shows elsewhere than in what a pipeline becomes. */
const ELSEWHERE: Record<string, string> = {
  paused: 'nothing is applied while it is true: decide/plan.test.ts',
  deletionPolicy: 'what is deleted with the pipeline: tests/e2e/operator.test.ts, and the owner of the keys Secret',
  'signals.replicas': 'the number of signals pods: decide/scaling.test.ts',
  'signals.scaling': 'the number of signals pods: decide/scaling.test.ts',
}

const CANDIDATES = ['other', 'another', '7Gi', '7', '8', 'http://other', 'http://another']

/** A value that the schema takes, and that is not the one given. */
const otherThan = (schema: Schema, value: unknown): unknown => {
  if (schema.enum !== undefined) return schema.enum.find((one) => one !== value)
  if (schema.type === 'boolean') return value !== true
  if (schema.type === 'integer' || schema.type === 'number') {
    const { minimum = 0, maximum = 1000 } = schema
    return [Math.min(maximum, minimum + 7), minimum, maximum].find((one) => one !== value)
  }
  if (schema['x-kubernetes-preserve-unknown-fields'])
    return value === undefined ? { some: 'thing' } : { other: 'thing' }
  const fitting = CANDIDATES.filter((one) => one !== value && new RegExp(schema.pattern ?? '').test(one))
  return fitting[0]
}

/** A value with every field in it: the default where there is one. */
const whole = (schema: Schema): unknown => {
  if (schema.properties !== undefined)
    return Object.fromEntries(Object.entries(schema.properties).map(([name, property]) => [name, whole(property)]))
  if (schema.items !== undefined) return [whole(schema.items)]
  if (schema.additionalProperties !== undefined) return { name: otherThan(schema.additionalProperties, undefined) }
  return schema.default ?? otherThan(schema, undefined)
}

/** Every field that holds no other, with the value changed in it alone. */
const changes = (schema: Schema, value: unknown, path: string): [path: string, changed: unknown][] => {
  const inside = (name: string, part: Schema): [string, unknown][] =>
    changes(part, (value as Record<string, unknown>)[name], path === '' ? name : `${path}.${name}`).map(
      ([at, changed]) => [at, { ...(value as object), [name]: changed }],
    )
  if (schema.properties !== undefined)
    return Object.entries(schema.properties).flatMap(([name, property]) => inside(name, property))
  if (schema.items !== undefined) {
    const [first, ...rest] = value as unknown[]
    return changes(schema.items, first, `${path}[]`).map(([at, changed]) => [at, [changed, ...rest]])
  }
  if (schema.additionalProperties !== undefined) return inside('name', schema.additionalProperties)
  return [[path, otherThan(schema, value)]]
}

/** Everything that an operator makes of a spec, as text. */
const madeOf = (spec: PipelineSpec): string => {
  const pipeline: Pipeline = {
    apiVersion: 'xrayiot.dev/v1alpha1',
    kind: 'XRayPipeline',
    metadata: { name: 'leipzig', namespace: 'xray', uid: 'u1' },
    spec,
  }
  const replicas = { producer: spec.producer.replicas, signals: 1, api: spec.api.replicas }
  const keys = decideKeys(keysSecretName('leipzig', spec), '1', () => undefined)
  const release = { image: 'xrayiot:1', imagePullPolicy: 'Never' }
  return JSON.stringify([
    childrenOf(pipeline, replicas, release, { connections: 'c', keys }),
    toTopology(topologySpecOf(spec)),
    monitorsOf(pipeline),
  ])
}

/** What a service's own template says stands over what the one for all says: that is looked at without the former. */
const withoutOwnTemplates = (spec: PipelineSpec): PipelineSpec => {
  const { producer, signals, api } = spec
  const bare = <T extends { podTemplate?: unknown }>({ podTemplate: _, ...rest }: T) => rest
  return { ...spec, producer: bare(producer), signals: bare(signals), api: bare(api) }
}

/** The fields of a spec whose change shows nowhere. */
const deadFields = (schema: Schema): string[] => {
  const base = whole(schema) as PipelineSpec
  return changes(schema, base, '').flatMap(([path, changed]) => {
    const seen = path.startsWith('podTemplate.') ? withoutOwnTemplates : (spec: PipelineSpec) => spec
    return madeOf(seen(base)) === madeOf(seen(changed as PipelineSpec)) ? [path] : []
  })
}

describe('every field of a spec', () => {
  it('can be changed by this test', () => {
    const all = changes(specSchema, whole(specSchema), '')
    expect(all.length).toBeGreaterThan(150)
    expect(all.filter(([, changed]) => changed === undefined)).toEqual([])
  })
  it('shows in what the pipeline becomes, but for those that show elsewhere', () => {
    const elsewhere = (path: string) => Object.keys(ELSEWHERE).some((one) => path === one || path.startsWith(`${one}.`))
    expect(deadFields(specSchema).filter((path) => !elsewhere(path))).toEqual([])
  })
  it('that shows nowhere is found', () => {
    const properties = { ...specSchema.properties, color: { type: 'string', description: 'Of what?' } }
    expect(deadFields({ ...specSchema, properties })).toContain('color')
  })
})
