import { setTimeout as delay } from 'node:timers/promises'
import { startKeda } from '../../keda/keda-processes.ts'
import { MERGE } from '../../operator/api.ts'
import { openControlPlane } from '../../operator/control-plane.ts'
import { install } from '../../operator/installation.ts'
import { must } from '../../stand/condition.ts'
import { requestsByAgent } from '../operator-census.ts'
import { openManagement } from '../operator-management.ts'

const NAMESPACE = 'requests'
const COLLECTION = `/apis/xrayiot.dev/v1alpha1/namespaces/${NAMESPACE}/xraypipelines`
const LIMIT_MS = 600_000
/** As often as ours, so that as much is asked for as much knowledge. */
const POLLING_SECONDS = 5

const manifest = (name: string): object => ({
  apiVersion: 'xrayiot.dev/v1alpha1',
  kind: 'XRayPipeline',
  metadata: { name },
  spec: {
    broker: { exchange: `${name}.x`, queue: `${name}.q`, deadLetterExchange: `${name}.dlx` },
    producer: { replicas: 0 },
    api: { replicas: 0 },
    signals: { scaling: { provider: 'Native', pollingInterval: POLLING_SECONDS } },
  },
})

type Status = { conditions?: { type: string; status: string; reason: string }[] }

/**
 * What ours and the real KEDA ask of broker and API server for pipelines of one virtual host that have nothing to do:
 * requests a minute, first with one provider, then with the other.
 * @param pipelines how many; @param seconds how long each is counted
 */
export const benchRequests = async (pipelines: number, seconds: number): Promise<object> => {
  const plane = await openControlPlane(['horizontal-pod-autoscaler-controller'])
  const management = await openManagement()
  try {
    const keda = await startKeda(plane)
    const installation = await install(plane, [])
    const { api } = plane
    await api.call('POST', '/api/v1/namespaces', { metadata: { name: NAMESPACE } })
    const secret = (name: string, stringData: object) =>
      api.call('POST', `/api/v1/namespaces/${NAMESPACE}/secrets`, { metadata: { name }, stringData })
    const [uri, host, username, password] = ['amqp://u:p@localhost', 'localhost', 'u', 'p']
    await secret('xray-rabbitmq', { uri, host, username, password, 'management-uri': management.uri })
    await secret('xray-mongodb', { uri: 'mongodb://localhost' })
    await secret('xray-redis', { uri: 'redis://localhost' })
    const operator = await installation.start()
    const names = Array.from({ length: pipelines }, (_, index) => `p${index}`)
    const all = async (reason: (one: Status) => boolean): Promise<true> =>
      must(`${pipelines} pipelines to be left to one provider`, LIMIT_MS, async () => {
        const found = await api.list(COLLECTION)
        return found.every(({ status = {} }) => reason(status as Status)) ? true : undefined
      })
    const scalingReason = ({ conditions = [] }: Status): string =>
      conditions.find(({ type }) => type === 'ScalingActive')?.reason ?? ''
    const isReady = ({ conditions = [] }: Status): boolean =>
      conditions.some(({ type, status }) => type === 'Ready' && status === 'True')

    /** A minute's requests, once nothing is left to be done. */
    const counted = async () => {
      await delay(30_000) // what the change of providers has begun
      const [mark, before] = [plane.audit.mark(), management.asked()]
      await delay(seconds * 1000)
      const perMinute = (count: number): number => Math.round((count * 60) / seconds)
      const broker = Object.entries(management.asked()).map(([agent, count]) => [
        agent,
        perMinute(count - (before[agent] ?? 0)),
      ])
      const agents = Object.entries(requestsByAgent(plane.audit.since(mark)))
        .filter(([agent]) => /^(xray-operator|keda|kube-controller-manager|operator|adapter)/.test(agent))
        .map(([agent, verbs]) => [agent, perMinute(Object.values(verbs).reduce((sum, count) => sum + count, 0))])
      return { broker: Object.fromEntries(broker), apiServer: Object.fromEntries(agents) }
    }
    try {
      for (const name of names) await api.call('POST', COLLECTION, manifest(name))
      await all(isReady)
      const ours = await counted()
      for (const name of names)
        await api.call(
          'PATCH',
          `${COLLECTION}/${name}`,
          { spec: { signals: { scaling: { provider: 'KEDA' } } } },
          MERGE,
        )
      await all((status) => scalingReason(status) === 'LeftToKeda')
      return { pipelines, pollingSeconds: POLLING_SECONDS, requestsPerMinute: { ours, keda: await counted() } }
    } finally {
      await operator.stop()
      await keda.close()
    }
  } finally {
    await management.close()
    await plane.close()
  }
}
