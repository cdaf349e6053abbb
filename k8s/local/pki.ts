import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from './command.ts'
import { BRIDGE_ADDRESS, KUBECONFIG, NODE_NAME, PKI, STATE } from './paths.ts'

export type Certificate = { name: string; ca: 'ca' | 'front-proxy-ca'; subject: string; hosts?: string }

const CERTIFICATES: Certificate[] = [
  {
    name: 'apiserver',
    ca: 'ca',
    subject: '/CN=kube-apiserver',
    hosts: `DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local,IP:127.0.0.1,IP:10.96.0.1,IP:${BRIDGE_ADDRESS}`,
  },
  { name: 'kubelet-client', ca: 'ca', subject: '/O=system:masters/CN=kube-apiserver-kubelet-client' },
  { name: 'admin', ca: 'ca', subject: '/O=system:masters/CN=admin' },
  { name: 'kube-controller-manager', ca: 'ca', subject: '/CN=system:kube-controller-manager' },
  { name: 'kube-scheduler', ca: 'ca', subject: '/CN=system:kube-scheduler' },
  { name: 'kube-proxy', ca: 'ca', subject: '/CN=system:kube-proxy' },
  {
    name: 'node',
    ca: 'ca',
    subject: `/O=system:nodes/CN=system:node:${NODE_NAME}`,
    hosts: `DNS:${NODE_NAME},IP:${BRIDGE_ADDRESS}`,
  },
  { name: 'front-proxy', ca: 'front-proxy-ca', subject: '/CN=front-proxy-client' },
]

const file = (name: string): string => join(PKI, name)
const DAYS = '3650'

/** Makes `NAME.key` and `NAME.crt` of a new authority in a folder. */
export const makeAuthority = (folder: string, name: string): Promise<string> =>
  run('openssl', [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-days',
    DAYS,
    '-subj',
    `/CN=xray-local-${name}`,
    '-keyout',
    join(folder, `${name}.key`),
    '-out',
    join(folder, `${name}.crt`),
  ])

/** Makes `NAME.key` and `NAME.crt`, signed by an authority of the same folder. */
export const makeCertificate = async (folder: string, { name, ca, subject, hosts }: Certificate): Promise<void> => {
  const file = (name: string): string => join(folder, name)
  const request = await run('openssl', [
    'req',
    '-new',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-subj',
    subject,
    '-keyout',
    file(`${name}.key`),
  ])
  const extensions = [
    'extendedKeyUsage=serverAuth,clientAuth',
    ...(hosts === undefined ? [] : [`subjectAltName=${hosts}`]),
  ]
  writeFileSync(file(`${name}.ext`), extensions.join('\n'))
  await run(
    'openssl',
    [
      'x509',
      '-req',
      '-days',
      DAYS,
      '-CA',
      file(`${ca}.crt`),
      '-CAkey',
      file(`${ca}.key`),
      // Not from a file that all of a folder share: some are made at once. 120 random bits (RFC 5280, 4.1.2.2).
      '-set_serial',
      `0x7f${randomBytes(15).toString('hex')}`,
      '-extfile',
      file(`${name}.ext`),
      '-out',
      file(`${name}.crt`),
    ],
    { input: request },
  )
}

/** Makes the pair with which an API server signs the tokens of service accounts: `sa.key` and `sa.pub`. */
export const makeTokenKeys = async (folder: string): Promise<void> => {
  await run('openssl', ['genrsa', '-out', join(folder, 'sa.key'), '2048'])
  await run('openssl', ['rsa', '-in', join(folder, 'sa.key'), '-pubout', '-out', join(folder, 'sa.pub')])
}

const kubeconfig = (user: string): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      { name: 'xray-local', cluster: { server: 'https://127.0.0.1:6443', 'certificate-authority': file('ca.crt') } },
    ],
    users: [{ name: user, user: { 'client-certificate': file(`${user}.crt`), 'client-key': file(`${user}.key`) } }],
    contexts: [{ name: 'xray-local', context: { cluster: 'xray-local', user, namespace: 'xray' } }],
    'current-context': 'xray-local',
  })

/** The kubeconfig of one of the cluster's own users. */
export const kubeconfigOf = (user: string): string => file(`${user}.kubeconfig`)

/** Makes the certificates and kubeconfigs once; the folder is complete when its last file is there. */
export const ensurePki = async (): Promise<string> => {
  const last = file('complete')
  if (existsSync(last)) return 'already there'
  rmSync(PKI, { recursive: true, force: true })
  mkdirSync(PKI, { recursive: true, mode: 0o700 })
  await makeAuthority(PKI, 'ca')
  await makeAuthority(PKI, 'front-proxy-ca')
  for (const certificate of CERTIFICATES) await makeCertificate(PKI, certificate)
  await makeTokenKeys(PKI)
  for (const user of ['kube-controller-manager', 'kube-scheduler', 'kube-proxy', 'node'])
    writeFileSync(kubeconfigOf(user), kubeconfig(user))
  writeFileSync(KUBECONFIG, kubeconfig('admin'))
  chmodSync(KUBECONFIG, 0o600)
  writeFileSync(last, '')
  return `${CERTIFICATES.length} certificates in ${STATE}/pki`
}
