import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import { run, succeeds } from './command.ts'
import { BRIDGE_ADDRESS, KUBECONFIG, PKI, POD_CIDR, SERVICE_CIDR, STATE } from './paths.ts'
import { kubeconfigOf } from './pki.ts'
import type { ProcessSpec } from './processes.ts'
import { binary } from './tools.ts'

const pki = (name: string): string => join(PKI, name)
const kubernetes = (name: string): string => binary('kubernetes', name)

/** True when an HTTPS probe of the control plane answers 200. */
const answers = (port: number, path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const credentials = {
      ca: readFileSync(pki('ca.crt')),
      cert: readFileSync(pki('admin.crt')),
      key: readFileSync(pki('admin.key')),
    }
    // The controller-manager and the scheduler serve certificates that they made for themselves.
    request(
      { host: '127.0.0.1', port, path, ...credentials, rejectUnauthorized: port === 6443, timeout: 2000 },
      (answer) => {
        answer.resume()
        resolve(answer.statusCode === 200)
      },
    )
      .on('error', () => resolve(false))
      .end()
  })

/** Runs kubectl against the local cluster. */
export const kubectl = (args: string[], input?: string): Promise<string> =>
  run(kubernetes('kubectl'), ['--kubeconfig', KUBECONFIG, ...args], input === undefined ? {} : { input })

const etcd: ProcessSpec = {
  name: 'etcd',
  command: binary('etcd', 'server'),
  args: [
    `--data-dir=${STATE}/etcd`,
    '--listen-client-urls=http://127.0.0.1:2379',
    '--advertise-client-urls=http://127.0.0.1:2379',
    '--listen-peer-urls=http://127.0.0.1:2380',
    '--initial-advertise-peer-urls=http://127.0.0.1:2380',
    '--initial-cluster=default=http://127.0.0.1:2380',
    '--unsafe-no-fsync', // a development cluster: a crash of the machine may cost its state, never a write its speed
    '--log-level=warn',
  ],
  ready: async () => (await fetch('http://127.0.0.1:2379/health')).ok,
}

const apiServer: ProcessSpec = {
  name: 'kube-apiserver',
  command: kubernetes('kube-apiserver'),
  args: [
    '--etcd-servers=http://127.0.0.1:2379',
    '--secure-port=6443',
    `--advertise-address=${BRIDGE_ADDRESS}`,
    '--endpoint-reconciler-type=lease',
    '--allow-privileged=true',
    '--authorization-mode=Node,RBAC',
    `--service-cluster-ip-range=${SERVICE_CIDR}`,
    `--tls-cert-file=${pki('apiserver.crt')}`,
    `--tls-private-key-file=${pki('apiserver.key')}`,
    `--client-ca-file=${pki('ca.crt')}`,
    `--service-account-key-file=${pki('sa.pub')}`,
    `--service-account-signing-key-file=${pki('sa.key')}`,
    '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
    `--requestheader-client-ca-file=${pki('front-proxy-ca.crt')}`,
    '--requestheader-allowed-names=front-proxy-client',
    '--requestheader-username-headers=X-Remote-User',
    '--requestheader-group-headers=X-Remote-Group',
    '--requestheader-extra-headers-prefix=X-Remote-Extra-',
    `--proxy-client-cert-file=${pki('front-proxy.crt')}`,
    `--proxy-client-key-file=${pki('front-proxy.key')}`,
    `--kubelet-client-certificate=${pki('kubelet-client.crt')}`,
    `--kubelet-client-key=${pki('kubelet-client.key')}`,
    '--kubelet-preferred-address-types=InternalIP',
  ],
  // The controller-manager exits when it comes before the bootstrap of the RBAC rules.
  ready: async () =>
    (await answers(6443, '/readyz')) &&
    (await succeeds(kubernetes('kubectl'), [
      '--kubeconfig',
      KUBECONFIG,
      'get',
      'role',
      '-n',
      'kube-system',
      'extension-apiserver-authentication-reader',
    ])),
}

const withKubeconfig = (user: string): string[] =>
  ['kubeconfig', 'authentication-kubeconfig', 'authorization-kubeconfig'].map(
    (flag) => `--${flag}=${kubeconfigOf(user)}`,
  )

const controllerManager: ProcessSpec = {
  name: 'kube-controller-manager',
  command: kubernetes('kube-controller-manager'),
  args: [
    ...withKubeconfig('kube-controller-manager'),
    `--root-ca-file=${pki('ca.crt')}`,
    `--service-account-private-key-file=${pki('sa.key')}`,
    '--use-service-account-credentials=true',
    '--leader-elect=false',
    '--allocate-node-cidrs=false',
    `--cluster-cidr=${POD_CIDR}`,
  ],
  ready: () => answers(10257, '/healthz'),
}

const scheduler: ProcessSpec = {
  name: 'kube-scheduler',
  command: kubernetes('kube-scheduler'),
  args: [...withKubeconfig('kube-scheduler'), '--leader-elect=false'],
  ready: () => answers(10259, '/healthz'),
}

/** In the order in which they must start. */
export const controlPlane = (): ProcessSpec[] => [etcd, apiServer, controllerManager, scheduler]
