import type { KubeObject } from '#kit/client.ts'
import type { Server } from '../stand/servers.ts'
import type { Api } from './api.ts'
import type { AuditEntry } from './audit.ts'
import type { BrokerCall } from './management.ts'

/** What a run left, in words that do not depend on when and where it ran. */
export type EndState = {
  objects: string[]
  broker: string[]
  /** What was made and removed, each as often as it was. */
  effects: string[]
}

const COLLECTIONS = [
  ['/api/v1', 'serviceaccounts'],
  ['/api/v1', 'configmaps'],
  ['/api/v1', 'secrets'],
  ['/api/v1', 'services'],
  ['/apis/networking.k8s.io/v1', 'networkpolicies'],
  ['/apis/policy/v1', 'poddisruptionbudgets'],
  ['/apis/apps/v1', 'deployments'],
  ['/apis/xrayiot.dev/v1alpha1', 'xraypipelines'],
] as const

/** Who else makes objects in the namespace: the control plane, the chart, and the test. */
const NOT_THE_OPERATORS = /^(default|xray-operator|kube-root-ca\.crt|xray-(rabbitmq|mongodb|redis))$/

/** Fields that differ from run to run although nothing else does. */
const VOLATILE = [
  'uid',
  'resourceVersion',
  'creationTimestamp',
  'deletionTimestamp',
  'managedFields',
  'lastTransitionTime',
  'lastUpdateTime',
  'lastProbeTime',
  'observedAt',
  'clusterIP',
  'clusterIPs',
]

/** Names of a run, and hashes that contain them, stand for themselves no longer. */
const masked = (text: string, names: readonly string[]): string =>
  names
    .reduce((left, name, index) => left.replaceAll(name, `NAME${index}`), text)
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(\.\d+)?/g, 'UID')
    .replace(/\b[0-9a-f]{10}\b/g, 'HASH')

/** `path=value` for each leaf. */
const leaves = (value: unknown, path: string): string[] => {
  if (value === null || typeof value !== 'object') return [`${path}=${JSON.stringify(value)}`]
  const entries = Object.entries(value).filter(([field]) => !VOLATILE.includes(field))
  return entries.length === 0 ? [`${path}=empty`] : entries.flatMap(([field, part]) => leaves(part, `${path}.${field}`))
}

/** What of an object is the same in every run that ends well. */
const essence = ({ kind, metadata, ...rest }: KubeObject): unknown => {
  const owners = metadata.ownerReferences?.map(({ uid, ...owner }) => ({ ...owner, owned: uid }))
  const kept = { ...metadata, ...(owners !== undefined && { ownerReferences: owners }) }
  if (kind === 'Secret') return { metadata: kept, keys: Object.keys((rest.data ?? {}) as object).sort() }
  if (kind === 'XRayPipeline') {
    const { scaling: _, ...status } = (rest.status ?? {}) as { scaling?: unknown }
    return { metadata: kept, spec: rest.spec, status }
  }
  if (kind !== 'Deployment') return { metadata: kept, ...rest }
  const { replicas, readyReplicas, observedGeneration } = rest.status as Record<string, number>
  return { metadata: kept, spec: rest.spec, status: { replicas, readyReplicas, observedGeneration } }
}

/**
 * Everything in a namespace that an operator makes or changes.
 * @param names of the run, which are masked
 */
export const clusterState = async (
  api: Api,
  namespace: string,
  names: readonly string[] = [namespace],
): Promise<string[]> => {
  const all = await Promise.all(
    COLLECTIONS.map(([base, plural]) => api.list(`${base}/namespaces/${namespace}/${plural}`)),
  )
  return all
    .flat()
    .filter(({ metadata }) => !NOT_THE_OPERATORS.test(metadata.name))
    .flatMap((object) => leaves(essence(object), `${object.kind} ${object.metadata.name}`))
    .map((leaf) => masked(leaf, names))
    .sort()
}

/** What counts the changes of a pipeline, or is a hash of one that does. */
const COUNTED =
  /\.(generation|observedGeneration)=|deployment\.kubernetes\.io\/revision|lastAppliedGeneration|xrayiot\.dev\/(applied|inputs)/

/** A state without what differs when it was come to by more changes. */
export const uncounted = (leaves: readonly string[]): string[] => leaves.filter((leaf) => !COUNTED.test(leaf))

/** Everything in a virtual host that somebody declared. */
export const brokerState = async (server: Server, namespace: string, vhost: string): Promise<string[]> => {
  const { username, password } = new URL(server.uri)
  const authorization = `Basic ${Buffer.from(`${username}:${decodeURIComponent(password)}`).toString('base64')}`
  const read = async (path: string): Promise<Record<string, unknown>[]> => {
    const url = `http://${server.address.host}:15672/api/${path.replace('VHOST', encodeURIComponent(vhost))}`
    return (await (await fetch(url, { headers: { authorization } })).json()) as Record<string, unknown>[]
  }
  const [exchanges, queues, bindings, policies] = await Promise.all([
    read('exchanges/VHOST?columns=name,type,arguments'),
    read('queues/VHOST?columns=name,arguments'),
    read('bindings/VHOST'),
    read('policies/VHOST'),
  ])
  const rows = [
    ...exchanges.filter(({ name }) => name !== '' && !String(name).startsWith('amq.')),
    ...queues,
    ...bindings.filter(({ source }) => source !== ''),
    ...policies,
  ]
  return rows.map((row) => masked(JSON.stringify(row), [vhost, namespace])).sort()
}

/**
 * What was made and removed: on the API server by its audit log, on the broker by its answers, which tell a queue that
 * was made (201) from one that was there (204).
 */
export const effectsOf = (
  entries: readonly AuditEntry[],
  user: string,
  namespace: string,
  calls: readonly BrokerCall[],
): string[] => {
  const onCluster = entries
    .filter((entry) => entry.user === user && !['leases', 'events'].includes(entry.resource))
    .filter(({ verb, code }) => code === 201 || (verb === 'delete' && code < 300))
    .map(({ verb, resource, name }) => `${verb === 'delete' ? 'removed' : 'made'} ${resource}/${name}`)
  const onBroker = calls
    .filter(({ method, status = 0 }) => (method === 'DELETE' && status === 204) || (method !== 'GET' && status === 201))
    .map(({ method, path }) => `${method === 'DELETE' ? 'removed' : 'made'} ${path.replace(/\?.*/, '')}`)
  return [...onCluster, ...onBroker].map((effect) => masked(effect, [namespace])).sort()
}

/** Leaves that one list has and the other has not, counted. */
const without = (these: readonly string[], those: readonly string[]): string[] => {
  const left = [...those]
  return these.filter((item) => {
    const at = left.indexOf(item)
    if (at !== -1) left.splice(at, 1)
    return at === -1
  })
}

const pathOf = (leaf: string): string => leaf.split('=', 1)[0] ?? ''

/**
 * How a run's end differs from that of the reference.
 * @param references two runs that nothing disturbed: what differs between them says nothing
 */
export const differences = ([first, second]: readonly [EndState, EndState], end: EndState): string[] => {
  const unsteady = new Set(
    [...without(first.objects, second.objects), ...without(second.objects, first.objects)].map(pathOf),
  )
  const steady = (leaf: string) => !unsteady.has(pathOf(leaf))
  return (['objects', 'broker', 'effects'] as const)
    .flatMap((part) => [
      ...without(first[part], end[part]).map((leaf) => `misses ${leaf}`),
      ...without(end[part], first[part]).map((leaf) => `has ${leaf}`),
    ])
    .filter((difference) => steady(difference.replace(/^(misses|has) /, '')))
}
