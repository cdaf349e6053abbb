import { copyFileSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { kedaDefinitions } from '../../k8s/local/keda.ts'
import { makeCertificate } from '../../k8s/local/pki.ts'
import { binary, ensureTool } from '../../k8s/local/tools.ts'
import type { ControlPlane } from '../operator/control-plane.ts'
import { startPlaneProcess } from '../operator/plane-process.ts'
import { must } from '../stand/condition.ts'
import { freePort } from '../stand/service-process.ts'

/** KEDA's own operator and metrics adapter, as processes beside a light control plane. */
export type Keda = { close: () => Promise<void> }

const NAMESPACE = 'keda'
const SERVICE = 'keda-metrics-apiserver'
const NAME = 'keda-metrics'
const EXTERNAL_METRICS = { group: 'external.metrics.k8s.io', version: 'v1beta1' }

/**
 * Makes KEDA's kinds and registers its metrics with the API server. Without kube-proxy a Service leads nowhere, so this
 * one is another name of this machine, and its port that of the adapter.
 */
const register = async ({ api, folder }: ControlPlane, port: number): Promise<void> => {
  for (const definition of await kedaDefinitions())
    await api.call('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', definition)
  await api.call('POST', '/api/v1/namespaces', { metadata: { name: NAMESPACE } })
  await api.call('POST', `/api/v1/namespaces/${NAMESPACE}/services`, {
    metadata: { name: SERVICE },
    spec: { type: 'ExternalName', externalName: 'localhost', ports: [{ port }] },
  })
  const { group, version } = EXTERNAL_METRICS
  await api.call('POST', '/apis/apiregistration.k8s.io/v1/apiservices', {
    metadata: { name: `${version}.${group}` },
    spec: {
      group,
      version,
      service: { namespace: NAMESPACE, name: SERVICE, port },
      caBundle: readFileSync(join(folder, 'ca.crt')).toString('base64'),
      groupPriorityMinimum: 100,
      versionPriority: 100,
    },
  })
}

/**
 * Installs KEDA and waits until its metrics are served. Its binaries are built the first time, which takes minutes.
 * @throws Error with the end of the log of what did not start
 */
export const startKeda = async (plane: ControlPlane): Promise<Keda> => {
  await ensureTool('keda')
  const { api, folder } = plane
  const [metricsService, operatorMetrics, health, adapterPort, adapterMetrics] = await Promise.all(
    Array.from({ length: 5 }, freePort),
  )
  await register(plane, adapterPort as number)
  const hosts = ['localhost', `keda-operator.${NAMESPACE}.svc`, `${SERVICE}.${NAMESPACE}.svc`]
  const certificate = {
    name: NAME,
    ca: 'ca' as const,
    subject: '/CN=keda',
    hosts: hosts.map((host) => `DNS:${host}`).join(),
  }
  await makeCertificate(folder, certificate)
  // Both read `ca.crt`, `tls.crt` and `tls.key` of one folder, as a Secret's mount has them.
  const certificates = join(folder, NAME)
  mkdirSync(certificates)
  for (const [from, to] of [
    ['ca.crt', 'ca.crt'],
    [`${NAME}.crt`, 'tls.crt'],
    [`${NAME}.key`, 'tls.key'],
  ] as const)
    copyFileSync(join(folder, from), join(certificates, to))

  const kubeconfig = join(folder, 'admin.kubeconfig')
  const environment = {
    KUBECONFIG: kubeconfig,
    POD_NAME: 'keda-operator-0',
    POD_NAMESPACE: NAMESPACE,
    KEDA_CLUSTER_OBJECT_NAMESPACE: NAMESPACE,
    WATCH_NAMESPACE: '',
  }
  const operator = await startPlaneProcess(
    folder,
    'keda-operator',
    binary('keda', 'operator'),
    [
      '--leader-elect=false',
      `--cert-dir=${certificates}`,
      '--enable-cert-rotation=false', // it would wait for a Secret to appear in its folder
      `--metrics-service-bind-address=127.0.0.1:${metricsService}`,
      `--metrics-bind-address=127.0.0.1:${operatorMetrics}`,
      `--health-probe-bind-address=127.0.0.1:${health}`,
    ],
    async () => (await fetch(`http://127.0.0.1:${health}/readyz`)).ok,
    environment,
  )
  const adapter = await startPlaneProcess(
    folder,
    'keda-adapter',
    binary('keda', 'adapter'),
    [
      `--secure-port=${adapterPort}`,
      '--bind-address=127.0.0.1',
      `--cert-dir=${certificates}`,
      `--tls-cert-file=${certificates}/tls.crt`,
      `--tls-private-key-file=${certificates}/tls.key`,
      `--client-ca-file=${folder}/ca.crt`,
      `--metrics-service-address=localhost:${metricsService}`,
      `--port=${adapterMetrics}`,
      `--lister-kubeconfig=${kubeconfig}`,
      `--authentication-kubeconfig=${kubeconfig}`,
      `--authorization-kubeconfig=${kubeconfig}`,
    ],
    async () => true, // the API server tells below
    environment,
  ).catch(async (error: Error) => {
    await operator.kill()
    throw error
  })
  const close = async (): Promise<void> => {
    await adapter.kill()
    await operator.kill()
  }
  await must(`KEDA's metrics to be served (logs: ${folder})`, 90_000, async () =>
    (await api.ask('GET', `/apis/${EXTERNAL_METRICS.group}/${EXTERNAL_METRICS.version}`)).status === 200
      ? true
      : undefined,
  ).catch(async (error: Error) => {
    await close()
    throw error
  })
  return { close }
}
