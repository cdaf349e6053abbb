import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse } from 'yaml'
import { CHECKOUT } from '../../k8s/local/paths.ts'
import { makeAuthority, makeCertificate, makeTokenKeys } from '../../k8s/local/pki.ts'
import { binary, ensureTool } from '../../k8s/local/tools.ts'
import { CRD_FILE } from '../../operator/generate.ts'
import { must } from '../stand/condition.ts'
import { freePort } from '../stand/service-process.ts'
import { type Api, adminOf, MERGE, openApi } from './api.ts'
import { AUDIT_POLICY, type AuditLog, openAuditLog } from './audit.ts'
import { type PlaneProcess, startPlaneProcess } from './plane-process.ts'

/**
 * A control plane of its own: etcd, kube-apiserver and the controllers that act on what an operator makes, on free
 * ports, without nodes and without a scheduler. A pod that is wanted is made and waits for ever.
 */
export type ControlPlane = {
  /** `https://127.0.0.1:PORT` */
  server: string
  /** Its certificates, `admin.kubeconfig` and its logs. */
  folder: string
  api: Api
  audit: AuditLog
  /** Its processes by name, as they are now. */
  pids: () => Record<string, number>
  /** Makes a kubeconfig that goes to a server by a bearer token, and returns its path. */
  kubeconfigOf: (name: string, server: string, token: string) => string
  /** Kills the API server and starts it again on its port. */
  restartApiServer: () => Promise<void>
  /** Applies the definition of the resource once more, with a change that bears no meaning: its printer columns. */
  applyDefinition: () => Promise<void>
  /** Forgets every version but the newest: who asks for an older one gets 410. */
  compact: () => Promise<void>
  close: () => Promise<void>
}

/** What an operator's objects need; namespaces and owners' children would never be gone without the first two. */
const CONTROLLERS = [
  'garbage-collector-controller',
  'namespace-controller',
  'deployment-controller',
  'replicaset-controller',
  'serviceaccount-controller',
  'serviceaccount-token-controller',
  'resourcequota-controller',
  'disruption-controller',
]

/** What an aggregated API, such as KEDA's external metrics, knows the API server by. */
const frontProxyFlags = (folder: string): string[] => [
  `--requestheader-client-ca-file=${folder}/front-proxy-ca.crt`,
  '--requestheader-allowed-names=front-proxy-client',
  '--requestheader-username-headers=X-Remote-User',
  '--requestheader-group-headers=X-Remote-Group',
  '--requestheader-extra-headers-prefix=X-Remote-Extra-',
  `--proxy-client-cert-file=${folder}/front-proxy.crt`,
  `--proxy-client-key-file=${folder}/front-proxy.key`,
]

const userOf = (name: string, folder: string) => ({
  'client-certificate': join(folder, `${name}.crt`),
  'client-key': join(folder, `${name}.key`),
})

const kubeconfig = (server: string, folder: string, user: object): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'light', cluster: { server, 'certificate-authority': join(folder, 'ca.crt') } }],
    users: [{ name: 'user', user }],
    contexts: [{ name: 'light', context: { cluster: 'light', user: 'user' } }],
    'current-context': 'light',
  })

const makePki = async (folder: string): Promise<void> => {
  await Promise.all([makeAuthority(folder, 'ca'), makeAuthority(folder, 'front-proxy-ca')])
  const hosts = 'DNS:localhost,IP:127.0.0.1'
  await Promise.all([
    makeCertificate(folder, { name: 'apiserver', ca: 'ca', subject: '/CN=kube-apiserver', hosts }),
    makeCertificate(folder, { name: 'admin', ca: 'ca', subject: '/O=system:masters/CN=admin' }),
    makeCertificate(folder, { name: 'kcm', ca: 'ca', subject: '/O=system:masters/CN=kube-controller-manager' }),
    makeCertificate(folder, { name: 'front-proxy', ca: 'front-proxy-ca', subject: '/CN=front-proxy-client' }),
    makeTokenKeys(folder),
  ])
}

const startEtcd = (folder: string, port: number, peerPort: number): Promise<PlaneProcess> =>
  startPlaneProcess(
    folder,
    'etcd',
    binary('etcd', 'server'),
    [
      `--data-dir=${folder}/etcd`,
      `--listen-client-urls=http://127.0.0.1:${port}`,
      `--advertise-client-urls=http://127.0.0.1:${port}`,
      `--listen-peer-urls=http://127.0.0.1:${peerPort}`,
      `--initial-advertise-peer-urls=http://127.0.0.1:${peerPort}`,
      `--initial-cluster=default=http://127.0.0.1:${peerPort}`,
      '--unsafe-no-fsync', // its data goes with the test
      '--quota-backend-bytes=8000000000',
      '--log-level=warn',
    ],
    async () => (await fetch(`http://127.0.0.1:${port}/health`)).ok,
  )

const startApiServer = (folder: string, port: number, etcdPort: number, ready: () => Promise<boolean>) =>
  startPlaneProcess(
    folder,
    'kube-apiserver',
    binary('kubernetes', 'kube-apiserver'),
    [
      `--etcd-servers=http://127.0.0.1:${etcdPort}`,
      `--secure-port=${port}`,
      '--bind-address=127.0.0.1',
      '--endpoint-reconciler-type=none', // nobody asks for this server by a Service
      '--authorization-mode=RBAC',
      '--service-cluster-ip-range=10.0.0.0/15', // 10,000 pipelines have 20,000 Services
      `--tls-cert-file=${folder}/apiserver.crt`,
      `--tls-private-key-file=${folder}/apiserver.key`,
      `--client-ca-file=${folder}/ca.crt`,
      `--service-account-key-file=${folder}/sa.pub`,
      `--service-account-signing-key-file=${folder}/sa.key`,
      '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
      `--audit-policy-file=${folder}/audit-policy.json`,
      `--audit-log-path=${folder}/audit.log`,
      ...frontProxyFlags(folder),
      '--audit-log-maxsize=20000', // megabytes; at 100, the default, the log would begin anew in the midst of a test
    ],
    ready,
  )

const startControllerManager = (folder: string, port: number, more: readonly string[]): Promise<PlaneProcess> =>
  startPlaneProcess(
    folder,
    'kube-controller-manager',
    binary('kubernetes', 'kube-controller-manager'),
    [
      `--kubeconfig=${folder}/kcm.kubeconfig`,
      `--controllers=${[...CONTROLLERS, ...more].join(',')}`,
      `--root-ca-file=${folder}/ca.crt`,
      `--service-account-private-key-file=${folder}/sa.key`,
      '--leader-elect=false',
      '--bind-address=127.0.0.1',
      `--secure-port=${port}`,
      `--cert-dir=${folder}/kcm`,
      // At 20 requests a second, the default, it and not the operator would set the pace.
      '--kube-api-qps=1000',
      '--kube-api-burst=2000',
    ],
    async () => true, // its work shows: a namespace gets its service account
  )

/**
 * Starts a control plane with the CRD of this checkout; takes some seconds.
 * @param more controllers beside those that every operator's objects need
 * @throws Error with the end of the log of what did not start
 */
export const openControlPlane = async (more: readonly string[] = []): Promise<ControlPlane> => {
  for (const tool of ['etcd', 'kubernetes'] as const) await ensureTool(tool)
  const folder = mkdtempSync(join(tmpdir(), 'xrayiot-plane-'))
  const [etcdPort, peerPort, port, kcmPort] = await Promise.all([freePort(), freePort(), freePort(), freePort()])
  const server = `https://127.0.0.1:${port}`
  await makePki(folder)
  writeFileSync(join(folder, 'audit-policy.json'), JSON.stringify(AUDIT_POLICY))
  for (const name of ['admin', 'kcm'])
    writeFileSync(join(folder, `${name}.kubeconfig`), kubeconfig(server, folder, userOf(name, folder)))
  const api = openApi(server, adminOf(folder))
  // The controller-manager exits when it comes before the bootstrap of the RBAC rules.
  const bootstrapped =
    '/apis/rbac.authorization.k8s.io/v1/namespaces/kube-system/roles/extension-apiserver-authentication-reader'
  const isReady = async () =>
    (await api.ask('GET', '/readyz')).status === 200 && (await api.ask('GET', bootstrapped)).status === 200

  const started: PlaneProcess[] = []
  const start = async (starting: Promise<PlaneProcess>): Promise<PlaneProcess> => {
    const process = await starting
    started.push(process)
    return process
  }
  const close = async (): Promise<void> => {
    await api.close()
    // The last first: a controller-manager without its API server would only complain.
    for (const process of started.toReversed()) await process.kill()
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    const etcd = await start(startEtcd(folder, etcdPort, peerPort))
    let apiServer = await start(startApiServer(folder, port, etcdPort, isReady))
    const controllers = await start(startControllerManager(folder, kcmPort, more))
    const crd = parse(readFileSync(join(CHECKOUT, CRD_FILE), 'utf8'))
    await api.call('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', crd)
    const { group, names, versions } = crd.spec
    await must('the CRD to be served', 90_000, async () =>
      (await api.ask('GET', `/apis/${group}/${versions[0].name}/${names.plural}`)).status === 200 ? true : undefined,
    )
    await must('the controllers to work', 60_000, async () =>
      (await api.ask('GET', '/api/v1/namespaces/default/serviceaccounts/default')).status === 200 ? true : undefined,
    )
    return {
      server,
      folder,
      api,
      audit: openAuditLog(join(folder, 'audit.log')),
      pids: () => ({ etcd: etcd.pid, 'kube-apiserver': apiServer.pid, 'kube-controller-manager': controllers.pid }),
      kubeconfigOf: (name, to, token) => {
        const file = join(folder, `${name}.kubeconfig`)
        writeFileSync(file, kubeconfig(to, folder, { token }))
        return file
      },
      restartApiServer: async () => {
        await apiServer.kill()
        apiServer = await start(startApiServer(folder, port, etcdPort, isReady))
      },
      applyDefinition: async () => {
        const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${crd.metadata.name}`
        const [{ additionalPrinterColumns: _, ...version }] = versions
        await api.call('PATCH', path, { spec: { versions: [version] } }, MERGE)
      },
      compact: async () => {
        const ask = (path: string, body: object) =>
          fetch(`http://127.0.0.1:${etcdPort}/v3/kv/${path}`, { method: 'POST', body: JSON.stringify(body) })
        const { header } = (await (await ask('range', { key: 'AA==' })).json()) as { header: { revision: string } }
        const answer = await ask('compaction', { revision: header.revision, physical: true })
        if (!answer.ok) throw new Error(`etcd answered ${answer.status} to a compaction: ${await answer.text()}`)
      },
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}
