import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { kubectl } from './control-plane.ts'
import {
  EXTERNAL_METRICS_PATH,
  ensureKedaCertificates,
  KEDA_NAMESPACE,
  KEDA_SERVICE,
  type KedaPlace,
  kedaAdapterArguments,
  kedaApiService,
  kedaDefinitions,
  kedaEnvironment,
  kedaOperatorArguments,
  kedaOperatorReady,
} from './keda.ts'
import { BRIDGE_ADDRESS, KUBECONFIG, PKI, STATE } from './paths.ts'
import { ensureProcess, runningProcesses } from './processes.ts'
import { until } from './progress.ts'
import { binary, ensureTool } from './tools.ts'

const PORTS = { metricsService: 9666, operatorMetrics: 9667, health: 9668, adapter: 16443, adapterMetrics: 9669 }

/** A Service without pods, which leads to the adapter on this machine. */
const objects = [
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: KEDA_NAMESPACE } },
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: KEDA_SERVICE, namespace: KEDA_NAMESPACE },
    spec: { ports: [{ name: 'https', port: 443, targetPort: PORTS.adapter }] },
  },
  {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: KEDA_SERVICE,
      namespace: KEDA_NAMESPACE,
      labels: { 'kubernetes.io/service-name': KEDA_SERVICE },
    },
    addressType: 'IPv4',
    ports: [{ name: 'https', port: PORTS.adapter }],
    endpoints: [{ addresses: [BRIDGE_ADDRESS], conditions: { ready: true } }],
  },
]

/** Names as a pod in KEDA's namespace resolves them. */
const RESOLVER = `nameserver 10.96.0.10
search ${KEDA_NAMESPACE}.svc.cluster.local svc.cluster.local cluster.local
options ndots:5
`

/**
 * Takes KEDA's metrics off the API server while no adapter runs, as after an `npm stop`: discovery, and with it the
 * deletion of namespaces, would wait for an API that nobody serves.
 */
export const withdrawKeda = async (): Promise<void> => {
  if (runningProcesses().includes('keda-adapter')) return
  const { name } = kedaApiService(PKI, 443).metadata
  await kubectl(['delete', 'apiservice', name, '--ignore-not-found'])
}

/** Runs KEDA's operator and adapter beside the control plane, and waits until an HPA can ask for their metrics. */
export const ensureKeda = async (): Promise<string> => {
  const tool = await ensureTool('keda')
  // Together they are longer than the annotation of a client-side apply.
  const definitions = (await kedaDefinitions()).map((definition) => JSON.stringify(definition))
  await kubectl(['apply', '--server-side', '-f', '-'], definitions.join('\n---\n'))
  const certificates = await ensureKedaCertificates(PKI)
  const applied = [...objects, kedaApiService(PKI, 443)].map((object) => JSON.stringify(object))
  await kubectl(['apply', '-f', '-'], applied.join('\n---\n'))

  const resolver = join(STATE, 'keda-resolv.conf')
  writeFileSync(resolver, RESOLVER)
  const place: KedaPlace = { kubeconfig: KUBECONFIG, certificates, adapterAddress: BRIDGE_ADDRESS, ports: PORTS }
  const env = kedaEnvironment(place)
  const operator = [binary('keda', 'operator'), ...kedaOperatorArguments(place)]
  await ensureProcess({
    name: 'keda-operator',
    command: 'unshare',
    // A trigger names the broker as pods know it. The machine's own resolver stays as it is: this mount is the process's.
    args: ['--mount', 'sh', '-c', 'mount --bind "$0" /etc/resolv.conf && exec "$@"', resolver, ...operator],
    env,
    ready: () => kedaOperatorReady(place),
  })
  await ensureProcess({
    name: 'keda-adapter',
    command: binary('keda', 'adapter'),
    args: kedaAdapterArguments(place),
    env,
    ready: async () => true, // the API server tells below
  })
  await until("KEDA's metrics to be served", 90, async () => {
    await kubectl(['get', '--raw', EXTERNAL_METRICS_PATH])
    return true
  })
  return `${tool}; its operator and adapter run, and ${EXTERNAL_METRICS_PATH} answers`
}
