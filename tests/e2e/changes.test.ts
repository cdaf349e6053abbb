import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually, kubectl, openBroker, read, secret } from './cluster.ts'
import { apply, conditionHolds, manifest, remove, statusOf } from './pipeline.ts'

const NAME = 'e2e-changes'
const ROUTING_KEY = `${NAME}.raw.v1`
/** Nobody consumes, so that what arrives in the main queue can be seen there. */
const SIGNALS = { replicas: 0, scaling: { provider: 'None', pollingInterval: 1 } }
const BROKER = { exchange: `${NAME}.xray`, queue: `${NAME}.raw.q`, deadLetterExchange: `${NAME}.dlx` }

let broker: Awaited<ReturnType<typeof openBroker>>
const change = (spec: object) =>
  kubectl(['patch', 'xraypipeline', NAME, '-n', 'xray', '--type=merge', '-p', JSON.stringify({ spec })])
const deployment = (component: string) => read('deployment', `${NAME}-${component}`, '-n', 'xray')
const annotations = async (component: string): Promise<Record<string, string>> =>
  (await deployment(component)).spec.template.metadata.annotations
const limitOf = async (queue: string, limit: string) =>
  ((await broker.policy(queue)).definition as Record<string, number>)[limit]
const patchSecret = (name: string, stringData: object) =>
  kubectl(['patch', 'secret', name, '-n', 'xray', '-p', JSON.stringify({ stringData })])

beforeAll(async () => {
  broker = await openBroker()
  const stringData = { uri: await secret('xray-redis', 'uri') }
  const own = { apiVersion: 'v1', kind: 'Secret', metadata: { name: `${NAME}-redis`, namespace: 'xray' }, stringData }
  await apply(JSON.stringify(own))
  await apply(manifest(NAME, { signals: SIGNALS, cache: { secretRef: { name: `${NAME}-redis` } } }))
  await conditionHolds(NAME, 'Ready', 'True')
})
afterAll(async () => {
  await remove(NAME)
  await kubectl(['delete', 'secret', `${NAME}-redis`, '-n', 'xray', '--ignore-not-found'])
})

describe('the topology', () => {
  it('has more room in place', async () => {
    expect(await limitOf(BROKER.queue, 'max-length-bytes')).toBe(4 * 2 ** 30)
    await change({ broker: { maxLengthBytes: '5Gi' } })
    await conditionHolds(NAME, 'Ready', 'True')
    expect(await limitOf(BROKER.queue, 'max-length-bytes')).toBe(5 * 2 ** 30)
  })

  it('of a shorter ladder delivers what waits on a step that is gone, and drops its queue then', async () => {
    const [last, foreign] = [`${ROUTING_KEY}.retry.4`, `${ROUTING_KEY}.retry.7`]
    await broker.declare(foreign, { 'x-queue-type': 'quorum' })
    await broker.publish('amq.default', last, 'waiting', { delivery_mode: 2 })
    await change({ retry: { delaysMs: [500, 2000] } })
    await conditionHolds(NAME, 'Ready', 'True')
    expect(await limitOf(`${ROUTING_KEY}.retry`, 'message-ttl')).toBe(1500)
    expect(await broker.queues()).toContain(last)
    await eventually('the message to be back on the main queue', 90, async () =>
      (await broker.depth(BROKER.queue)) === 1 ? true : undefined,
    )
    await eventually('the queues of the former steps to go', 300, async () =>
      (await broker.queues()).filter((queue) => /retry\.[34]$/.test(queue) && queue.startsWith(NAME)).length === 0
        ? true
        : undefined,
    )
    expect(await broker.queues()).toContain(foreign)
    await broker.drop(foreign)
  }, 600_000)

  it('that RabbitMQ cannot change is refused whole, and the pods stay as they are', async () => {
    const before = await annotations('producer')
    const settings = async () => (await deployment('producer')).spec.template.spec.containers[0].envFrom
    const former = await settings()
    const foreign = `${ROUTING_KEY}.retry.3`
    await broker.declare(foreign, { 'x-queue-type': 'quorum', 'x-message-ttl': 1 })
    await change({ broker: { maxLengthBytes: '6Gi' }, retry: { delaysMs: [500, 2000, 3000] } })
    const { conditions } = await conditionHolds(NAME, 'Ready', 'False', 'TopologyMismatch')
    expect(conditions[0]?.message).toContain(`queue ${foreign}`)
    expect(await limitOf(BROKER.queue, 'max-length-bytes')).toBe(5 * 2 ** 30)
    expect([await settings(), await annotations('producer')]).toEqual([former, before])
    await broker.drop(foreign)
    await conditionHolds(NAME, 'Ready', 'True')
    expect(await limitOf(BROKER.queue, 'max-length-bytes')).toBe(6 * 2 ** 30)
    expect(await settings()).not.toEqual(former)
  })
})

describe('a Secret that changes', () => {
  it('is rolled out when it is a connection', async () => {
    const before = await annotations('api')
    await patchSecret(`${NAME}-redis`, { uri: `${await secret('xray-redis', 'uri')}/1` })
    for (const component of ['producer', 'signals', 'api'])
      await eventually(`${component} to be rolled out`, 200, async () =>
        (await annotations(component))['xrayiot.dev/connections'] !== before['xrayiot.dev/connections']
          ? true
          : undefined,
      )
    await conditionHolds(NAME, 'Ready', 'True')
  })

  it('reaches signals, then the producer, then the API when it holds the keys', async () => {
    const versions = async () =>
      Promise.all(['signals', 'producer', 'api'].map(async (name) => (await annotations(name))['xrayiot.dev/keys']))
    const [before] = await versions()
    await patchSecret(`${NAME}-keys`, { 'message-p2': 'ab'.repeat(32) })
    const seen = new Set<string>()
    await eventually('all three to have the new keys', 300, async () => {
      const fresh = (await versions()).map((version) => version !== before)
      seen.add(fresh.join())
      return fresh.every(Boolean) ? true : undefined
    })
    const inOrder = ['false,false,false', 'true,false,false', 'true,true,false', 'true,true,true']
    expect([...seen].filter((state) => !inOrder.includes(state))).toEqual([])
    await conditionHolds(NAME, 'Ready', 'True')
  })
})

const kindOf = (kind: string) => {
  const plural = `${kind.toLowerCase()}s`
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } }
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.monitoring.coreos.com` },
    spec: {
      group: 'monitoring.coreos.com',
      scope: 'Namespaced',
      names: { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List` },
      versions: [{ name: 'v1', served: true, storage: true, schema }],
    },
  }
}

it('monitors come and go with the kinds of the Prometheus operator, and without them all else works', async () => {
  const definitions = ['ServiceMonitor', 'PrometheusRule'].map(kindOf)
  const names = definitions.map(({ metadata }) => metadata.name)
  const theirs = (await kubectl(['get', 'crd', ...names, '--ignore-not-found', '-o', 'name'])).trim()
  expect(theirs, 'this test makes the kinds itself').toBe('')
  await change({ monitoring: { serviceMonitor: true, prometheusRule: true, dashboard: true } })
  await conditionHolds(NAME, 'MonitoringReady', 'False', 'MonitoringUnavailable')
  await conditionHolds(NAME, 'Ready', 'True')
  expect((await read('configmap', `${NAME}-dashboard`, '-n', 'xray')).metadata.labels.grafana_dashboard).toBe('1')
  try {
    await apply(definitions.map((definition) => JSON.stringify(definition)).join('\n---\n'))
    await conditionHolds(NAME, 'MonitoringReady', 'True')
    await kubectl(['delete', 'prometheusrule', NAME, '-n', 'xray'])
    await eventually('a deleted monitor to be back', 150, () => read('prometheusrule', NAME, '-n', 'xray'))
    await change({ monitoring: { serviceMonitor: false } })
    await eventually('a monitor that is not asked for to go', 150, async () =>
      (await read('servicemonitors', '-n', 'xray')).items.length === 0 ? true : undefined,
    )
  } finally {
    await kubectl(['delete', 'crd', ...names, '--ignore-not-found'])
  }
  await conditionHolds(NAME, 'MonitoringReady', 'False', 'MonitoringUnavailable')
  await change({ monitoring: { prometheusRule: false, dashboard: false } })
  await eventually('the condition to go', 150, async () =>
    (await statusOf(NAME)).conditions.some(({ type }) => type === 'MonitoringReady') ? undefined : true,
  )
}, 400_000)
