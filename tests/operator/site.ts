import type { KubeObject } from '#kit/client.ts'
import { must } from '../stand/condition.ts'
import { findServers } from '../stand/servers.ts'
import { openVhost, type Vhost } from '../stand/vhost.ts'
import type { Api } from './api.ts'
import { MERGE } from './api.ts'
import { type Fate, startKubelet } from './kubelet.ts'

type Status = {
  observedGeneration: number
  backlog?: number
  conditions?: { type: string; status: string; reason: string; message: string }[]
  components?: Record<string, { desired: number; ready: number; image: string }>
}

/** A namespace with the connections of a pipeline, on a virtual host of its own of the local cluster's broker. */
export type Site = {
  namespace: string
  /** Its virtual host. */
  vhost: Vhost
  /** Makes the pipeline, whose name is that of the namespace. */
  create: (spec?: object) => Promise<void>
  /** Changes its spec, field by field. */
  change: (spec: object) => Promise<void>
  status: () => Promise<Status>
  /** Waits until a condition of the current generation holds; returns its message. */
  condition: (type: string, holds: string, reason?: string) => Promise<string>
  objects: (plural: string) => Promise<KubeObject[]>
  /** The names of the queues on its virtual host. */
  queues: () => Promise<string[]>
  /** Deletes the pipeline and waits until it is gone. */
  remove: () => Promise<void>
  close: () => Promise<void>
}

const APIS: Record<string, string> = {
  deployments: '/apis/apps/v1',
  replicasets: '/apis/apps/v1',
  events: '/apis/events.k8s.io/v1',
  servicemonitors: '/apis/monitoring.coreos.com/v1',
  prometheusrules: '/apis/monitoring.coreos.com/v1',
  poddisruptionbudgets: '/apis/policy/v1',
  horizontalpodautoscalers: '/apis/autoscaling/v2',
  scaledobjects: '/apis/keda.sh/v1alpha1',
  triggerauthentications: '/apis/keda.sh/v1alpha1',
}

export const openSite = async (api: Api, namespace: string, fateOf: (image: string) => Fate): Promise<Site> => {
  const [servers, vhost] = await Promise.all([findServers(), openVhost(namespace)])
  await api.ask('POST', '/api/v1/namespaces', { metadata: { name: namespace } }) // the operator may live in it
  const { host } = servers.rabbitmq.address
  const { username, password } = new URL(servers.rabbitmq.uri)
  const secret = (name: string, stringData: Record<string, string>) =>
    api.call('POST', `/api/v1/namespaces/${namespace}/secrets`, { metadata: { name }, stringData })
  await secret('xray-rabbitmq', { uri: servers.rabbitmq.uri, host, username, password: decodeURIComponent(password) })
  await secret('xray-mongodb', { uri: servers.store.uri })
  await secret('xray-redis', { uri: servers.redis.uri })
  const kubelet = startKubelet(api, namespace, fateOf)
  const pipelines = `/apis/xrayiot.dev/v1alpha1/namespaces/${namespace}/xraypipelines`
  const path = `${pipelines}/${namespace}`
  const read = () => api.call<KubeObject & { status: Status }>('GET', path)
  return {
    namespace,
    vhost,
    create: async (spec = {}) => {
      const scaling = { pollingInterval: 1, cooldownPeriod: 5 }
      await api.call('POST', pipelines, {
        apiVersion: 'xrayiot.dev/v1alpha1',
        kind: 'XRayPipeline',
        metadata: { name: namespace },
        spec: {
          deletionPolicy: 'Delete',
          broker: { vhost: vhost.name },
          producer: { replicas: 1 },
          api: { replicas: 1 },
          signals: { scaling },
          ...spec,
        },
      })
    },
    change: async (spec) => void (await api.call('PATCH', path, { spec }, MERGE)),
    status: async () => (await read()).status,
    condition: (type, holds, reason) =>
      must(`${type}=${holds} ${reason ?? ''} of ${namespace}`, 60_000, async () => {
        const { metadata, status } = await read()
        const found = status.conditions?.find((condition) => condition.type === type)
        const now = status.observedGeneration === metadata.generation && found?.status === holds
        return now && (reason === undefined || found?.reason === reason) ? found.message : undefined
      }),
    objects: (plural) => api.list(`${APIS[plural] ?? '/api/v1'}/namespaces/${namespace}/${plural}`),
    queues: async () => {
      const authorization = `Basic ${Buffer.from(`${username}:${decodeURIComponent(password)}`).toString('base64')}`
      const answer = await fetch(`http://${host}:15672/api/queues/${vhost.name}`, { headers: { authorization } })
      return ((await answer.json()) as { name: string }[]).map(({ name }) => name)
    },
    remove: async () => {
      await api.call('DELETE', path)
      await must('the pipeline to be gone', 60_000, async () =>
        (await api.ask('GET', path)).status === 404 ? true : undefined,
      )
    },
    close: async () => {
      await kubelet.close()
      await vhost.close()
    },
  }
}
