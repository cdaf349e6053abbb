import { readdirSync, readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { kubectl, read } from './cluster.ts'
import { apply, manifest } from './pipeline.ts'

const NAME = 'e2e-schema'

/** What the API server would make of a manifest; nothing is stored. */
const dryRun = async (text: string) =>
  JSON.parse(await kubectl(['apply', '--dry-run=server', '--validate=strict', '-o', 'json', '-f', '-'], text))

describe('a spec that cannot work is refused by the API server with a sentence that helps', () => {
  it.each([
    [
      'minReplicaCount must not be above maxReplicaCount',
      { signals: { scaling: { minReplicaCount: 5, maxReplicaCount: 2 } } },
    ],
    ['idleReplicaCount must be below minReplicaCount', { signals: { scaling: { idleReplicaCount: 0 } } }],
    [
      'fallback.replicas must not be above maxReplicaCount',
      { signals: { scaling: { maxReplicaCount: 3, fallback: { replicas: 4 } } } },
    ],
    ['needs metadata.value above 0', { signals: { scaling: { triggers: [{ type: 'rabbitmq', metadata: {} }] } } }],
    [
      'needs metadata.serverAddress, query and a threshold above 0',
      { signals: { scaling: { triggers: [{ type: 'prometheus', metadata: { query: 'up' } }] } } },
    ],
    [
      'belong to a trigger of type prometheus',
      { signals: { scaling: { triggers: [{ type: 'rabbitmq', metadata: { value: '20', query: 'up' } }] } } },
    ],
    [
      'unknown field "spec.signals.scaling.triggers[0].metadata.queueLength"',
      { signals: { scaling: { triggers: [{ type: 'rabbitmq', metadata: { value: '20', queueLength: '5' } }] } } },
    ],
    [
      'queueName and vhostName of a trigger must be broker.queue and broker.vhost',
      { signals: { scaling: { triggers: [{ type: 'rabbitmq', metadata: { value: '20', queueName: 'other' } }] } } },
    ],
    ['Unsupported value: "Most"', { signals: { scaling: { behavior: { scaleUp: { selectPolicy: 'Most' } } } } }],
    ['replicas has no effect while scaling.provider is Native', { signals: { replicas: 3 } }],
    ['nodePort needs type NodePort', { api: { service: { type: 'ClusterIP', nodePort: 30099 } } }],
    [
      'producer and api cannot have the same nodePort',
      {
        producer: { service: { type: 'NodePort', nodePort: 30099 } },
        api: { service: { type: 'NodePort', nodePort: 30099 } },
      },
    ],
    ['exchange and deadLetterExchange must differ', { broker: { exchange: 'a', deadLetterExchange: 'a' } }],
    ['batch.size must not be above prefetch', { signals: { prefetch: 10, batch: { size: 20 } } }],
    [
      'a request must not be above its limit',
      { api: { resources: { requests: { memory: '1Gi' }, limits: { memory: '512Mi' } } } },
    ],
    [
      'a request must not be above its limit',
      { api: { resources: { requests: { cpu: 2 }, limits: { cpu: '1500m' } } } },
    ],
    ['spec.api.resources.requests.cpu', { api: { resources: { requests: { cpu: 'two' } } } }],
    [
      'app.kubernetes.io/managed-by are the operator',
      { podTemplate: { labels: { 'app.kubernetes.io/instance': 'mine' } } },
    ],
    ['spec.podTemplate.labels.team', { podTemplate: { labels: { team: 'a team' } } }],
    [
      'AMQP_URI, MONGODB_URI, REDIS_URI are the operator',
      { producer: { podTemplate: { env: [{ name: 'AMQP_URI', value: 'amqp://elsewhere' }] } } },
    ],
    ['Duplicate value', { podTemplate: { env: ['a', 'b'].map((value) => ({ name: 'TWICE', value })) } }],
    ['spec.podTemplate.tolerations[0].effect', { podTemplate: { tolerations: [{ effect: 'Never' }] } }],
    ['topologySpreadConstraints[0].topologyKey', { podTemplate: { topologySpreadConstraints: [{ maxSkew: 1 }] } }],
    ['spec.broker.maxLengthBytes', { broker: { maxLengthBytes: '4GB' } }],
    ['spec.retry.delaysMs', { retry: { delaysMs: [] } }],
    ['should be less than or equal to 100', { producer: { replicas: 101 } }],
    ['Unsupported value: "Keep"', { deletionPolicy: 'Keep' }],
    ['unknown field "spec.replicas"', { replicas: 1 }],
    ['unknown field "spec.monitoring.grafana"', { monitoring: { grafana: true } }],
    ['spec.image', { image: 'an image' }],
  ])('%s', (sentence, spec) => expect(dryRun(manifest(NAME, spec))).rejects.toThrow(sentence))
  it('a name that is too long', () =>
    expect(dryRun(manifest('e2e-'.repeat(11)))).rejects.toThrow('the name must have at most 40 characters'))
})

describe('a pipeline that is there', () => {
  // Paused, so that no operator makes anything of it.
  beforeAll(() => apply(manifest(NAME, { paused: true })))
  afterAll(() => kubectl(['delete', 'xraypipeline', NAME, '-n', 'xray', '--ignore-not-found']))
  const patched = (spec: object) =>
    kubectl([
      ...['patch', 'xraypipeline', NAME, '-n', 'xray', '--type=merge', '--dry-run=server', '-o', 'json'],
      ...['-p', JSON.stringify({ spec })],
    ])

  it.each([
    [
      'the virtual host',
      { broker: { vhost: 'other' } },
      'vhost, exchange, queue and deadLetterExchange cannot be changed',
    ],
    ['the exchange', { broker: { exchange: 'other' } }, 'cannot be changed'],
    ['the queue', { broker: { queue: 'other' } }, 'cannot be changed'],
    ['the dead-letter exchange', { broker: { deadLetterExchange: 'other' } }, 'cannot be changed'],
    ['the database', { store: { database: 'other' } }, 'database cannot be changed'],
  ])('keeps %s', (_, spec, sentence) => expect(patched(spec)).rejects.toThrow(sentence))
  it.each([
    ['more bytes in the queue', { broker: { maxLengthBytes: '8Gi' } }],
    ['another ladder', { retry: { delaysMs: [5, 6, 7, 8, 9] } }],
    ['other Secrets', { broker: { secretRef: { name: 'other' } }, keys: { secretRef: { name: 'other' } } }],
  ])('takes %s', async (_, spec) => expect(JSON.parse(await patched(spec)).spec).toMatchObject(spec))
})

it('a part of the spec that is given in part is completed, and numbers are quantities, too', async () => {
  const { spec } = await dryRun(
    manifest(NAME, { retry: { maxRetries: 9 }, api: { resources: { limits: { cpu: 1 } } }, monitoring: {} }),
  )
  expect(spec).toMatchObject({
    retry: { maxRetries: 9, delaysMs: [1000, 2000, 4000, 8000], jitterMs: 1000 },
    api: { replicas: 2, resources: { limits: { cpu: 1 } } },
    monitoring: { serviceMonitor: false, prometheusRule: false, dashboard: false },
  })
})

it.each(readdirSync('k8s/samples'))('the API server takes the sample %s', async (file) => {
  const text = await kubectl(
    ['apply', '--dry-run=server', '--validate=strict', '-f', '-'],
    readFileSync(`k8s/samples/${file}`, 'utf8'),
  )
  expect(text).toMatch(/xraypipeline\.xrayiot\.dev\/[a-z]+ (created|configured|unchanged)/)
})

it('kubectl explain describes every field', async () => {
  const text = await kubectl(['explain', 'xraypipeline.spec', '--recursive'])
  for (const field of ['maxLengthBytes', 'perDevicePerMinute', 'topologySpreadConstraints', 'prometheusRule'])
    expect(text).toContain(field)
  expect(await kubectl(['explain', 'xraypipeline.spec.retry.delaysMs'])).toContain(
    'The shortest wait before each retry',
  )
})

it('kubectl get shows what matters', async () => {
  const { spec } = await read('crd', 'xraypipelines.xrayiot.dev')
  expect(spec.versions[0].additionalPrinterColumns.map(({ name }: { name: string }) => name)).toEqual([
    ...['Ready', 'Signals', 'Backlog', 'DLQ', 'Reason', 'Age'],
  ])
})
