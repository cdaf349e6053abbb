import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { kubectl } from './control-plane.ts'
import { KUBECONFIG, LOGS, STATE } from './paths.ts'
import { ensureProcess, type ProcessSpec } from './processes.ts'
import { until } from './progress.ts'
import { binary } from './tools.ts'

const NAMESPACE = 'local-path-storage'
/** Any image with a shell: the pods that make and remove a volume's folder run it. */
const SHELL_IMAGE = 'localhost/redis:8.0'

const manifest = (name: string): string => readFileSync(join(import.meta.dirname, 'manifests', name), 'utf8')

const helperPod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'helper-pod' },
  spec: {
    containers: [
      { name: 'helper-pod', image: SHELL_IMAGE, imagePullPolicy: 'Never', securityContext: { runAsUser: 0 } },
    ],
  },
}

const CONFIG = join(STATE, 'local-path.json')
const CONFIG_JSON = JSON.stringify({
  nodePathMap: [{ node: 'DEFAULT_PATH_FOR_NON_LISTED_NODES', paths: [join(STATE, 'volumes')] }],
})

const volumes = [
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } },
  { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'local-path', namespace: NAMESPACE } },
  {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'local-path-config', namespace: NAMESPACE },
    data: {
      'config.json': CONFIG_JSON,
      // Writable for any user: a pod of ours is never root.
      setup: '#!/bin/sh\nset -eu\nmkdir -m 0777 -p "$VOL_DIR"\n',
      teardown: '#!/bin/sh\nset -eu\nrm -rf "$VOL_DIR"\n',
      'helperPod.yaml': JSON.stringify(helperPod),
    },
  },
  {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: { name: 'local-path', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
    provisioner: 'rancher.io/local-path',
    volumeBindingMode: 'WaitForFirstConsumer',
  },
]

const provisioner: ProcessSpec = {
  name: 'local-path-provisioner',
  command: binary('local-path-provisioner', 'local-path-provisioner'),
  args: [
    'start',
    `--config=${CONFIG}`,
    `--kubeconfig=${KUBECONFIG}`,
    `--namespace=${NAMESPACE}`,
    '--provisioner-name=rancher.io/local-path',
    `--helper-image=${SHELL_IMAGE}`,
    '--configmap-name=local-path-config',
    '--service-account-name=local-path',
  ],
  ready: async () =>
    readFileSync(join(LOGS, 'local-path-provisioner.log'), 'utf8').includes('Started provisioner controller'),
}

/** Applies name service, volumes and namespaces. */
export const applyAddons = async (): Promise<string> => {
  await kubectl(['apply', '-f', '-'], manifest('namespaces.yaml'))
  await kubectl(['apply', '-f', '-'], manifest('coredns.yaml'))
  await kubectl(['apply', '-f', '-'], volumes.map((object) => JSON.stringify(object)).join('\n---\n'))
  writeFileSync(CONFIG, CONFIG_JSON)
  await ensureProcess(provisioner)
  await until('the cluster to resolve names', 90, async () => {
    const ready = await kubectl([
      'get',
      'deployment',
      'coredns',
      '-n',
      'kube-system',
      '-o',
      'jsonpath={.status.readyReplicas}',
    ])
    return ready === '1' ? true : undefined
  })
  return 'CoreDNS, local-path volumes, namespaces xray and xray-system'
}
