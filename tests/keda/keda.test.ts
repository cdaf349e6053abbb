import { afterAll, beforeAll, expect, it } from 'vitest'
import { type ControlPlane, openControlPlane } from '../operator/control-plane.ts'
import { type Installation, install } from '../operator/installation.ts'
import { openSite, type Site } from '../operator/site.ts'
import { must } from '../stand/condition.ts'
import { type Keda, startKeda } from './keda-processes.ts'

/** Building KEDA takes some minutes the first time. */
const BUILD_MS = 1_800_000
/** KEDA looks once a second here, and an HPA every 15 s. */
const SCALED_MS = 90_000
const QUEUE = 'xray.raw.q'
const KINDS = ['scaledobjects', 'triggerauthentications']

let plane: ControlPlane
let keda: Keda
let installation: Installation
beforeAll(async () => {
  plane = await openControlPlane(['horizontal-pod-autoscaler-controller'])
  keda = await startKeda(plane)
  installation = await install(plane, [])
}, BUILD_MS)
afterAll(async () => {
  await keda?.close()
  await plane?.close()
})

const count = async ({ namespace }: Site): Promise<number> => {
  const path = `/apis/apps/v1/namespaces/${namespace}/deployments/${namespace}-signals`
  return ((await plane.api.call('GET', path)).spec as { replicas: number }).replicas
}
const becomes = (site: Site, wanted: number): Promise<true> =>
  must(`${wanted} pods`, SCALED_MS, async () => ((await count(site)) === wanted ? true : undefined))

/** Puts messages into the pipeline's queue, where they stay: the pods are not real. */
const publish = async ({ vhost }: Site, messages: number): Promise<void> => {
  const connection = await vhost.connect()
  const channel = await connection.createConfirmChannel()
  for (let index = 0; index < messages; index++) channel.sendToQueue(QUEUE, Buffer.from('{}'), { persistent: true })
  await channel.waitForConfirms()
  await connection.close()
}

/** A trigger as a ScaledObject has it, with what it says of its queue. */
const pasted = ({ vhost }: Site) => ({
  type: 'rabbitmq',
  metadata: {
    queueName: QUEUE,
    vhostName: vhost.name,
    mode: 'QueueLength',
    value: '20',
    activationValue: '0',
    excludeUnacknowledged: 'false',
  },
})
const scaling = (site: Site) => ({
  provider: 'KEDA',
  pollingInterval: 1,
  cooldownPeriod: 5,
  maxReplicaCount: 8,
  triggers: [pasted(site)],
  behavior: {
    scaleDown: { stabilizationWindowSeconds: 0, policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }] },
  },
})

it('KEDA scales a pipeline from none up with its queue, and back', async () => {
  const site = await openSite(plane.api, 'real', () => 'serves')
  const operator = await installation.start({ PIPELINE_IMAGE: 'xrayiot:good' })
  try {
    const mark = plane.audit.mark()
    await site.create({ signals: { scaling: scaling(site) } })
    expect(await site.condition('ScalingActive', 'True', 'LeftToKeda')).toContain('the ScaledObject real decides')
    await becomes(site, 0)
    await publish(site, 100)
    await becomes(site, 5)
    await publish(site, 900)
    await becomes(site, 8)
    expect(await site.condition('ScalingActive', 'True', 'LeftToKeda')).toContain('a trigger is active')
    await site.vhost.manage('DELETE', `queues/${site.vhost.name}/${QUEUE}/contents`)
    await becomes(site, 0)
    await site.condition('ScalingActive', 'True', 'LeftToKeda')

    // KEDA writes both objects, too: what it writes is not put back.
    const applied = plane.audit
      .since(mark)
      .filter(({ user, verb, resource }) => user === installation.user && verb === 'patch' && KINDS.includes(resource))
    expect(applied.map(({ resource }) => resource).sort()).toEqual(KINDS)

    // And the operator goes on from there, once KEDA has let go.
    await publish(site, 100)
    await becomes(site, 5)
    await site.change({ signals: { scaling: { provider: 'Native' } } })
    await must('KEDA to let go', SCALED_MS, async () => {
      const left = [...(await site.objects('scaledobjects')), ...(await site.objects('horizontalpodautoscalers'))]
      return left.length === 0 ? true : undefined
    })
    await site.condition('ScalingActive', 'True')
    expect(await count(site)).toBe(5)
  } finally {
    await operator.stop()
    await site.close()
  }
}, 600_000)
