import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DEFAULTS, type PipelineSpec } from '#contract/pipeline.ts'
import type { KubeObject } from '#kit/client.ts'
import { canonical } from './canonical.ts'
import type { Pipeline } from './pipeline.ts'
import { type Action, type Observed, type Owned, type Plan, planOf } from './plan.ts'

const pipeline = (spec: Partial<PipelineSpec> = {}, generation = 1): Pipeline => ({
  apiVersion: 'xrayiot.dev/v1alpha1',
  kind: 'XRayPipeline',
  metadata: { name: 'leipzig', namespace: 'xray', uid: 'u1', generation },
  spec: { ...DEFAULTS, ...spec },
})
const release = { image: 'xrayiot:1', imagePullPolicy: 'Never' }
const newer = { image: 'xrayiot:2', imagePullPolicy: 'Always' }
const replicas = { producer: 2, signals: 1, api: 2 }
const secretsOf = (secret: string, version: string) => {
  const keys = { secret, version }
  return { connections: 'c', keys: { producer: keys, signals: keys, api: keys } }
}
const observed = (change: Partial<Observed> = {}): Observed => ({
  pipeline: pipeline(),
  blocked: false,
  brokerKnown: true,
  children: [],
  replicas,
  secrets: secretsOf('leipzig-keys', '1'),
  ...change,
})

/** A Deployment whose controller has done what it says. */
const rolledDeployment = (object: KubeObject, generation: number): KubeObject => {
  const count = (object.spec as { replicas: number }).replicas
  return {
    ...object,
    metadata: { ...object.metadata, generation },
    status: { observedGeneration: generation, replicas: count, updatedReplicas: count, readyReplicas: count },
  }
}

/** What is there after a plan has been carried out and every pod has come up. */
const after = (children: readonly Owned[], { actions }: Plan): Owned[] => {
  const key = (kind: string, name: string) => `${kind}/${name}`
  const there = new Map(children.map((child) => [key(child.kind, child.object.metadata.name), child]))
  for (const action of actions) {
    if (action.do === 'remove') there.delete(key(action.kind, action.object.metadata.name))
    else {
      const { kind, intent, live } = action
      const uid = live?.metadata.uid ?? `uid-of-${kind}-${intent.metadata.name}`
      const object = { ...intent, metadata: { ...intent.metadata, uid } }
      there.set(key(kind, intent.metadata.name), {
        kind,
        object: kind === 'deployment' ? rolledDeployment(object, (live?.metadata.generation ?? 0) + 1) : object,
      })
    }
  }
  return [...there.values()]
}
const converged = (seen: Observed, by = release): Owned[] => {
  let children = [...seen.children]
  for (let round = 0; round < 3; round++) children = after(children, planOf({ ...seen, children }, by))
  return children
}

const told = ({ actions }: Plan): string[] =>
  actions.map((action) =>
    action.do === 'apply'
      ? `${action.cause} ${action.kind} ${action.component}`
      : `remove ${action.kind} ${action.object.metadata.name}`,
  )

const specs: fc.Arbitrary<PipelineSpec> = fc
  .record({
    maxRetries: fc.integer({ min: 0, max: 9 }),
    rate: fc.integer({ min: 1, max: 9 }),
    producers: fc.integer({ min: 1, max: 3 }),
    image: fc.constantFrom('', 'xrayiot:own'),
    label: fc.constantFrom('a', 'b'),
    memory: fc.constantFrom('256Mi', '1Gi'),
  })
  .map(({ maxRetries, rate, producers, image, label, memory }) => ({
    ...DEFAULTS,
    image,
    retry: { ...DEFAULTS.retry, maxRetries },
    producer: { ...DEFAULTS.producer, replicas: producers, rateLimit: { perDevicePerMinute: rate } },
    api: { ...DEFAULTS.api, resources: { limits: { memory } } },
    podTemplate: { labels: { team: label } },
  }))

describe('a plan', () => {
  it('makes everything that is missing, Deployments last', () => {
    const { actions } = planOf(observed(), release)
    expect(actions.every((action) => action.do === 'apply' && action.cause === 'Missing')).toBe(true)
    expect(actions.slice(-3).map(({ kind }) => kind)).toEqual(['deployment', 'deployment', 'deployment'])
  })

  it('that has been carried out leaves nothing to do, whatever was there before', () =>
    fc.assert(
      fc.property(specs, specs, (before, now) => {
        const first = converged(observed({ pipeline: pipeline(before, 1) }))
        const seen = observed({ pipeline: pipeline(now, 2) })
        const children = converged({ ...seen, children: first })
        expect(told(planOf({ ...seen, children }, release))).toEqual([])
        const fresh = converged(seen)
        expect(children.map(({ object }) => object.metadata.name).sort()).toEqual(
          fresh.map(({ object }) => object.metadata.name).sort(),
        )
      }),
      { numRuns: 20 },
    ))

  it('is the same bytes in whatever order things were seen, and with whatever order of fields', () =>
    fc.assert(
      fc.property(specs, specs, fc.infiniteStream(fc.nat(1000)), (before, now, ranks) => {
        const children = converged(observed({ pipeline: pipeline(before) }))
        const seen = observed({ pipeline: pipeline(now, 2), children })
        const shuffled = children
          .map((child) => ({ child, rank: ranks.next().value ?? 0 }))
          .sort((one, other) => one.rank - other.rank)
          .map(({ child }) => JSON.parse(canonical(child)) as Owned)
        expect(canonical(planOf({ ...seen, children: shuffled }, release))).toBe(canonical(planOf(seen, release)))
      }),
      { numRuns: 20 },
    ))

  const orphaned = () => {
    const children = converged(observed())
    return [...children, { kind: 'service' as const, object: owned('Service', 'leipzig-old', 'uid-old') }]
  }
  const owned = (kind: string, name: string, uid?: string): KubeObject => ({
    apiVersion: 'v1',
    kind,
    metadata: {
      name,
      namespace: 'xray',
      ...(uid !== undefined && { uid }),
      ownerReferences: [{ apiVersion: '', kind: 'XRayPipeline', name: 'leipzig', uid: 'u1' }],
    },
  })

  it('removes what is no longer wanted', () =>
    expect(told(planOf(observed({ children: orphaned() }), release))).toEqual(['remove service leipzig-old']))

  it.each([
    ['while nothing may be made', { blocked: true }],
    ['while the broker cannot be asked', { brokerKnown: false }],
  ] as [string, Partial<Observed>][])('removes nothing %s', (_, change) =>
    expect(
      planOf(observed({ children: orphaned(), ...change }), release).actions.filter((action) => action.do === 'remove'),
    ).toEqual([]),
  )

  it('removes nothing whose uid it does not know, and nothing that is going already', () => {
    const going = owned('Service', 'leipzig-old', 'uid-old')
    going.metadata.deletionTimestamp = '2026-01-01T00:00:00Z'
    const children = converged(observed())
    for (const object of [owned('Service', 'leipzig-old'), going])
      expect(told(planOf(observed({ children: [...children, { kind: 'service', object }] }), release))).toEqual([])
  })

  it('never removes anything without a uid, whatever is there', () =>
    fc.assert(
      fc.property(specs, specs, fc.boolean(), (before, now, blocked) => {
        const children = converged(observed({ pipeline: pipeline(before) }))
        const { actions } = planOf(observed({ blocked, pipeline: pipeline(now, 2), children }), release)
        for (const action of actions as Action[])
          if (action.do === 'remove') expect(action.object.metadata.uid).toMatch(/^uid-of-/)
      }),
      { numRuns: 20 },
    ))

  it('leaves out the number of pods that somebody else decides on', () => {
    const left = { ...replicas, signals: undefined }
    const children = converged(observed())
    const plan = planOf(observed({ children, replicas: left }), release)
    expect(plan.actions).toMatchObject([{ do: 'apply', kind: 'deployment', component: 'signals', cause: 'Changed' }])
    expect(plan.actions[0]).not.toHaveProperty('intent.spec.replicas')
    const then = converged(observed({ children, replicas: left })).map(({ kind, object }) =>
      object.metadata.name === 'leipzig-signals' && kind === 'deployment'
        ? { kind, object: rolledDeployment({ ...object, spec: { ...(object.spec as object), replicas: 7 } }, 9) }
        : { kind, object },
    )
    expect(planOf(observed({ children: then, replicas: left }), release)).toMatchObject({ actions: [], settled: true })
  })
  it('keeps the former settings until the pods have rolled away from them', () => {
    const children = converged(observed())
    const changed = observed({ pipeline: pipeline({ retry: { ...DEFAULTS.retry, maxRetries: 9 } }, 2), children })
    const first = planOf(changed, release)
    expect(told(first).filter((text) => text.startsWith('remove'))).toEqual([])
    const rolled = after(children, first)
    expect(told(planOf({ ...changed, children: rolled }, release))).toContainEqual(
      expect.stringMatching(/^remove configMap leipzig-producer-/),
    )
    const rolling = rolled.map(({ kind, object }) => ({
      kind,
      object: kind === 'deployment' ? { ...object, status: { ...(object.status as object), replicas: 9 } } : object,
    }))
    expect(told(planOf({ ...changed, children: rolling }, release))).toEqual([])
  })

  it('puts back what somebody changed', () => {
    const children = converged(observed()).map(({ kind, object }) => ({
      kind,
      object:
        object.metadata.name === 'leipzig-api' && kind === 'deployment'
          ? { ...object, spec: { ...(object.spec as object), replicas: 9 } }
          : object,
    }))
    expect(told(planOf(observed({ children }), release))).toEqual(['Drifted deployment api'])
  })

  it('gives a field up that is no longer wanted, which the live object alone does not tell', () => {
    const children = converged(observed({ pipeline: pipeline({ podTemplate: { nodeSelector: { disk: 'ssd' } } }) }))
    expect(told(planOf(observed({ pipeline: pipeline({}, 2), children }), release))).toEqual([
      'Changed deployment producer',
      'Changed deployment signals',
      'Changed deployment api',
    ])
  })
})

describe('an upgrade of the operator', () => {
  const templates = (children: readonly Owned[]) =>
    canonical(
      children
        .filter(({ kind }) => kind === 'deployment')
        .map(({ object }) => (object.spec as { template: object }).template),
    )
  const old = converged(observed())

  it('changes no pod template while the spec is the same, and says which components it keeps', () => {
    const plan = planOf(observed({ children: old }), newer)
    expect(plan.kept).toEqual(['producer', 'signals', 'api'])
    const children = converged(observed({ children: old }), newer)
    expect(templates(children)).toBe(templates(old))
    expect(told(planOf(observed({ children }), newer))).toEqual([])
  })
  it('goes on scaling what it keeps', () => {
    const children = converged(observed({ children: old, replicas: { ...replicas, signals: 7 } }), newer)
    expect(templates(children)).toBe(templates(old))
    expect(canonical(children)).toContain('"replicas":7')
  })
  it('puts back what somebody changed of a template that it keeps', () => {
    const kept = converged(observed({ children: old }), newer)
    const drifted = JSON.parse(canonical(kept).replaceAll('"image":"xrayiot:1"', '"image":"evil:1"')) as Owned[]
    expect(templates(drifted)).not.toBe(templates(old))
    expect(templates(converged(observed({ children: drifted }), newer))).toBe(templates(old))
  })
  it.each([
    ['of how many pods there are', { producer: { ...DEFAULTS.producer, replicas: 5 } }, 'xrayiot:1'],
    ['of the rate limit', { producer: { ...DEFAULTS.producer, rateLimit: { perDevicePerMinute: 7 } } }, 'xrayiot:2'],
    ['of the image', { image: 'xrayiot:own' }, 'xrayiot:own'],
  ] as [string, Partial<PipelineSpec>, string][])('a change %s rolls out the right image', (_, spec, image) => {
    const kept = converged(observed({ children: old }), newer)
    const children = converged(observed({ pipeline: pipeline(spec, 2), children: kept }), newer)
    expect(templates(children)).toContain(`"image":"${image}"`)
  })
  it('rolls out a Secret that has changed, without anything else of its own', () => {
    const secrets = secretsOf('leipzig-keys', '2')
    const children = converged(observed({ children: old, secrets }), newer)
    expect(templates(children)).toBe(templates(old).replaceAll('"xrayiot.dev/keys":"1"', '"xrayiot.dev/keys":"2"'))
    expect(told(planOf(observed({ children, secrets }), newer))).toEqual([])
  })
  it('goes on handing out another keys Secret to one component after the other', () => {
    const secrets = secretsOf('other-keys', '1')
    expect(templates(converged(observed({ children: old, secrets }), release))).toContain('other-keys')
  })
  it('keeps a template although a newer CRD has filled in a default', () => {
    const spec = { ...DEFAULTS, addedLater: true } as PipelineSpec
    const children = converged(observed({ pipeline: pipeline(spec, 1), children: old }), newer)
    expect(templates(children)).toBe(templates(old))
  })
  it('keeps the settings that a kept template names, and rolls out anew when they are gone', () => {
    const lost = old.filter(({ kind }) => kind !== 'configMap')
    expect(templates(converged(observed({ children: lost }), newer))).toContain('"image":"xrayiot:2"')
  })
})
