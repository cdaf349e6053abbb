import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { run } from './command.ts'
import { makeCertificate } from './pki.ts'
import { moduleOf } from './tools.ts'

type Definition = { metadata: { name: string }; spec: { group: string; names: { plural: string } } }

export const KEDA_NAMESPACE = 'keda'
export const KEDA_SERVICE = 'keda-metrics-apiserver'
const EXTERNAL_METRICS = { group: 'external.metrics.k8s.io', version: 'v1beta1' }
/** Where KEDA's adapter serves what an HPA asks for. */
export const EXTERNAL_METRICS_PATH = `/apis/${EXTERNAL_METRICS.group}/${EXTERNAL_METRICS.version}`

/** The folder of KEDA's own sources, of the version that `tools/keda` names; fetched when it is not there yet. */
export const kedaSources = async (): Promise<string> => {
  const told = await run('go', ['mod', 'download', '-json', 'github.com/kedacore/keda/v2'], { cwd: moduleOf('keda') })
  return (JSON.parse(told) as { Dir: string }).Dir
}

/** KEDA's CRDs, as its release has them: its operator starts only when all are there. */
export const kedaDefinitions = async (): Promise<Definition[]> => {
  const folder = join(await kedaSources(), 'config/crd/bases')
  return readdirSync(folder).map((file) => parse(readFileSync(join(folder, file), 'utf8')) as Definition)
}

/**
 * What tells an API server that a port of KEDA's Service serves its metrics.
 * @param folder of the authority `ca` that vouches for KEDA
 */
export const kedaApiService = (folder: string, port: number) => ({
  apiVersion: 'apiregistration.k8s.io/v1',
  kind: 'APIService',
  metadata: { name: `${EXTERNAL_METRICS.version}.${EXTERNAL_METRICS.group}` },
  spec: {
    ...EXTERNAL_METRICS,
    service: { namespace: KEDA_NAMESPACE, name: KEDA_SERVICE, port },
    caBundle: readFileSync(join(folder, 'ca.crt')).toString('base64'),
    groupPriorityMinimum: 100,
    versionPriority: 100,
  },
})

const CERTIFICATE = 'keda-metrics'

/**
 * Makes KEDA's certificate once, by the authority `ca` of a folder.
 * @returns a folder with `ca.crt`, `tls.crt` and `tls.key`, as a Secret's mount has them
 */
export const ensureKedaCertificates = async (folder: string): Promise<string> => {
  const certificates = join(folder, CERTIFICATE)
  // The key is copied last.
  if (existsSync(join(certificates, 'tls.key'))) return certificates
  const hosts = ['localhost', `keda-operator.${KEDA_NAMESPACE}.svc`, `${KEDA_SERVICE}.${KEDA_NAMESPACE}.svc`]
  await makeCertificate(folder, {
    name: CERTIFICATE,
    ca: 'ca',
    subject: '/CN=keda',
    hosts: hosts.map((host) => `DNS:${host}`).join(),
  })
  mkdirSync(certificates, { recursive: true })
  for (const [from, to] of [
    ['ca.crt', 'ca.crt'],
    [`${CERTIFICATE}.crt`, 'tls.crt'],
    [`${CERTIFICATE}.key`, 'tls.key'],
  ] as const)
    copyFileSync(join(folder, from), join(certificates, to))
  return certificates
}

/** Where KEDA's two processes listen, and what they read. */
export type KedaPlace = {
  kubeconfig: string
  /** From `ensureKedaCertificates`. */
  certificates: string
  /** The address that the API server reaches the adapter by. */
  adapterAddress: string
  ports: { metricsService: number; operatorMetrics: number; health: number; adapter: number; adapterMetrics: number }
}

/** The environment of both processes. */
export const kedaEnvironment = ({ kubeconfig }: KedaPlace): Record<string, string> => ({
  KUBECONFIG: kubeconfig,
  POD_NAME: 'keda-operator-0',
  POD_NAMESPACE: KEDA_NAMESPACE,
  KEDA_CLUSTER_OBJECT_NAMESPACE: KEDA_NAMESPACE,
  WATCH_NAMESPACE: '',
})

export const kedaOperatorArguments = ({ certificates, ports }: KedaPlace): string[] => [
  '--leader-elect=false',
  `--cert-dir=${certificates}`,
  '--enable-cert-rotation=false', // it would wait for a Secret to appear in its folder
  `--metrics-service-bind-address=127.0.0.1:${ports.metricsService}`,
  `--metrics-bind-address=127.0.0.1:${ports.operatorMetrics}`,
  `--health-probe-bind-address=127.0.0.1:${ports.health}`,
]

export const kedaOperatorReady = async ({ ports }: KedaPlace): Promise<boolean> =>
  (await fetch(`http://127.0.0.1:${ports.health}/readyz`)).ok

export const kedaAdapterArguments = ({ kubeconfig, certificates, adapterAddress, ports }: KedaPlace): string[] => [
  `--secure-port=${ports.adapter}`,
  `--bind-address=${adapterAddress}`,
  `--cert-dir=${certificates}`,
  `--tls-cert-file=${certificates}/tls.crt`,
  `--tls-private-key-file=${certificates}/tls.key`,
  `--client-ca-file=${certificates}/ca.crt`,
  `--metrics-service-address=localhost:${ports.metricsService}`,
  `--port=${ports.adapterMetrics}`,
  `--lister-kubeconfig=${kubeconfig}`,
  `--authentication-kubeconfig=${kubeconfig}`,
  `--authorization-kubeconfig=${kubeconfig}`,
]
