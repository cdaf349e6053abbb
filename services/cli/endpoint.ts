import type { Cluster } from './cluster.ts'
import { EXIT, Failure } from './failure.ts'
import type { KubeObject } from './kube.ts'

type Service = KubeObject & { spec?: { ports?: { name?: string; port: number }[] } }
type Slice = KubeObject & {
  ports?: { name?: string; port: number }[]
  endpoints?: { conditions?: { ready?: boolean }; targetRef?: { kind?: string; name: string } }[]
}

/** Where a connection Secret's address can be reached from this machine. `close` when done. */
export type Endpoint = { host: string; port: number; via: string; close: () => void }

/** The Service that a name means within a namespace: NAME, NAME.NAMESPACE, NAME.NAMESPACE.svc and so on. */
export const serviceOf = (host: string, namespace: string): { namespace: string; name: string } | undefined => {
  const [name, home = namespace, svc = 'svc'] = host.split('.')
  return name === undefined || name === '' || svc !== 'svc' ? undefined : { name, namespace: home }
}

/**
 * Finds a way to a server: through a pod of the Service that it is, else straight, as to one outside of the cluster.
 * @throws Failure when it is a Service without a ready pod
 */
export const reach = async ({ kube, namespace }: Cluster, host: string, port: number): Promise<Endpoint> => {
  const straight = { host, port, via: `${host}:${port}`, close: () => undefined }
  const meant = serviceOf(host, namespace)
  if (meant === undefined) return straight
  const home = `namespaces/${meant.namespace}`
  const what = `the Service ${meant.namespace}/${meant.name}`
  const service = await kube.get<Service>(`/api/v1/${home}/services/${meant.name}`, what).catch((error: Failure) => {
    if (error.exit === EXIT.notFound) return undefined
    throw error
  })
  if (service === undefined) return straight
  const portName = service.spec?.ports?.find((one) => one.port === port)?.name ?? ''
  const { items } = await kube.list<Slice>(
    `/apis/discovery.k8s.io/v1/${home}/endpointslices?labelSelector=kubernetes.io%2Fservice-name%3D${meant.name}`,
    `the endpoints of ${what}`,
  )
  for (const { ports = [], endpoints = [] } of items) {
    const target = ports.find(({ name = '' }) => name === portName)?.port
    const pod = endpoints.find(({ conditions, targetRef }) => conditions?.ready === true && targetRef?.kind === 'Pod')
    if (target === undefined || pod?.targetRef === undefined) continue
    const { name } = pod.targetRef
    const tunnel = await kube.tunnel(meant.namespace, name, target)
    return { host: '127.0.0.1', port: tunnel.port, via: `${name}:${target}`, close: tunnel.close }
  }
  throw new Failure(EXIT.failed, `${what} has no ready pod for port ${port}`)
}
