import { describe, expect, it } from 'vitest'
import { DEFAULTS } from '#contract/pipeline.ts'
import { childrenOf, orphansAmong } from './children.ts'
import { type Pipeline, queueHolder } from './pipeline.ts'

const pipeline = (change: Partial<Pipeline['metadata']> = {}, spec: Partial<Pipeline['spec']> = {}): Pipeline => ({
  apiVersion: 'xrayiot.dev/v1alpha1',
  kind: 'XRayPipeline',
  metadata: { name: 'leipzig', namespace: 'xray', uid: 'u1', creationTimestamp: '2026-01-01T00:00:00Z', ...change },
  spec: { ...DEFAULTS, ...spec },
})
const release = { image: 'xrayiot:1', imagePullPolicy: 'Never' }
const replicas = { producer: 2, signals: 3, api: 2 }
const keys = { secret: 'leipzig-keys', version: 'k' }
const secrets = { connections: 'c', keys: { producer: keys, signals: keys, api: keys } }
const children = childrenOf(pipeline(), replicas, release, secrets)

type PodSpec = {
  volumes: { name: string; secret?: { items: { key: string }[]; optional: boolean } }[]
  automountServiceAccountToken: boolean
  securityContext: object
  containers: { env: { name: string }[]; envFrom: { configMapRef: { name: string } }[]; securityContext: object }[]
}
const podSpecs = children
  .filter(({ kind }) => kind === 'deployment')
  .map(({ intent }) => (intent.spec as { template: { spec: PodSpec } }).template.spec)

describe('the children of a pipeline', () => {
  it('are the same bytes for the same spec', () =>
    expect(JSON.stringify(childrenOf(pipeline(), replicas, release, secrets))).toBe(JSON.stringify(children)))
  it('all name their owner by uid', () => {
    for (const { intent } of children)
      expect(intent.metadata.ownerReferences).toEqual([expect.objectContaining({ uid: 'u1', controller: true })])
  })
  it('come with Deployments last, after everything that their pods need', () =>
    expect(children.slice(-3).map(({ kind }) => kind)).toEqual(['deployment', 'deployment', 'deployment']))
  it('run as nobody, without a token, on a root file system that is read only', () => {
    for (const spec of podSpecs) {
      expect(spec.automountServiceAccountToken).toBe(false)
      expect(spec.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } })
      for (const { securityContext } of spec.containers)
        expect(securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        })
    }
  })
  it('name no variable twice, whatever the templates add', () => {
    const env = [
      { name: 'AMQP_URI', value: 'amqp://elsewhere' },
      { name: 'EXTRA', value: '1' },
    ]
    const changed = childrenOf(
      pipeline({}, { podTemplate: { env }, signals: { ...DEFAULTS.signals, podTemplate: { env } } }),
      replicas,
      release,
      secrets,
    )
    for (const { intent } of changed.filter(({ kind }) => kind === 'deployment')) {
      const names =
        (intent.spec as { template: { spec: PodSpec } }).template.spec.containers[0]?.env.map(({ name }) => name) ?? []
      expect(names).toContain('EXTRA')
      expect(new Set(names).size).toBe(names.length)
    }
  })
  it('mount the keys that they need and no others, and those of a rotation before there are any', () => {
    const keys = podSpecs.map(({ volumes }) => volumes.find(({ name }) => name === 'keys')?.secret)
    expect(keys.map((secret) => secret?.optional)).toEqual([true, true, true])
    const kinds = keys.map((secret) => [...new Set(secret?.items.map(({ key }) => key.replace(/[0-9]$/, '')))])
    expect(kinds).toEqual([['device-master-k', 'message-p'], ['message-p'], ['api-admin-token', 'device-master-k']])
    expect(keys.map((secret) => secret?.items.length)).toEqual([16, 8, 9])
  })
  it('are told where the store is, each of them', () => {
    for (const spec of podSpecs) expect(spec.containers[0]?.env.map(({ name }) => name)).toContain('MONGODB_URI')
    const settings = children.filter(({ kind }) => kind === 'configMap').map(({ intent }) => intent.data)
    expect(settings).toEqual(Array(3).fill(expect.objectContaining({ MONGODB_DATABASE: DEFAULTS.store.database })))
  })
  it('take the settings by a name that changes with them', () => {
    const named = (spec: Partial<Pipeline['spec']>) =>
      childrenOf(pipeline({}, spec), replicas, release, secrets)
        .filter(({ kind }) => kind === 'configMap')
        .map(({ intent }) => intent.metadata.name)
    const changed = named({ retry: { ...DEFAULTS.retry, maxRetries: 9 } })
    expect(named({})).toEqual(named({}))
    expect(changed.filter((name) => named({}).includes(name))).toEqual([expect.stringContaining('leipzig-api-')])
  })
})

describe('the resources of a container', () => {
  const resources = (given: Pipeline['spec']['api']['resources']) => {
    const spec = { api: { ...DEFAULTS.api, resources: given } }
    const deployments = childrenOf(pipeline({}, spec), replicas, release, secrets).filter(
      ({ kind }) => kind === 'deployment',
    )
    return deployments.map(
      ({ intent }) =>
        (intent.spec as { template: { spec: { containers: { resources: object }[] } } }).template.spec.containers[0]
          ?.resources,
    )[2]
  }
  it.each([
    ['are the defaults', {}, { requests: { cpu: '25m', memory: '96Mi' }, limits: { memory: '256Mi' } }],
    [
      'have a limit that no given request is above',
      { requests: { cpu: 1, memory: '1Gi' } },
      { requests: { cpu: '1', memory: '1Gi' }, limits: { memory: '1Gi' } },
    ],
    [
      'have a request that no given limit is below',
      { limits: { cpu: '10m', memory: '64Mi' } },
      { requests: {}, limits: { cpu: '10m', memory: '64Mi' } },
    ],
    [
      'are those that are given',
      { requests: { memory: '1Mi', cpu: '1m' }, limits: { memory: '2Mi' } },
      { requests: { memory: '1Mi', cpu: '1m' }, limits: { memory: '2Mi' } },
    ],
  ])('%s', (_, given, expected) => expect(resources(given)).toEqual(expected))
})

describe('an orphan', () => {
  const old = {
    kind: 'configMap' as const,
    object: {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {
        name: 'leipzig-api-old',
        namespace: 'xray',
        ownerReferences: [{ apiVersion: '', kind: 'XRayPipeline', name: 'leipzig', uid: 'u1' }],
      },
    },
  }
  it('is what is owned and no longer wanted, once the pods have rolled', () => {
    expect(orphansAmong(pipeline(), [old], children, true)).toEqual([old])
    expect(orphansAmong(pipeline(), [old], children, false)).toEqual([])
  })
  it('is never what another pipeline of the same name owned', () =>
    expect(orphansAmong(pipeline({ uid: 'u2' }), [old], children, true)).toEqual([]))
})

describe('a queue that two pipelines name', () => {
  const older = pipeline()
  const younger = pipeline({ name: 'second', uid: 'u2', creationTimestamp: '2026-01-01T00:00:01Z' })
  it('belongs to the older', () => {
    expect(queueHolder(younger, [older, younger])).toBe(older)
    expect(queueHolder(older, [older, younger])).toBeUndefined()
  })
  it('belongs to each when the virtual hosts differ', () =>
    expect(
      queueHolder({ ...younger, spec: { ...younger.spec, broker: { ...younger.spec.broker, vhost: 'other' } } }, [
        older,
      ]),
    ).toBeUndefined())
})
