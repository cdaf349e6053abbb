import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run, succeeds } from './command.ts'
import { kubectl } from './control-plane.ts'
import { CNI_CONFIG } from './network.ts'
import { BRIDGE_ADDRESS, CONTAINERD_SOCKET, NODE_NAME, PKI, POD_CIDR, RUN, STATE } from './paths.ts'
import { kubeconfigOf } from './pki.ts'
import type { ProcessSpec } from './processes.ts'
import { binary } from './tools.ts'

/** The image of every pod's sandbox: a static program that waits for a signal. */
export const PAUSE_IMAGE = 'localhost/pause:1'

const CONTAINERD_CONFIG = `version = 3
root = "${STATE}/containerd"
state = "${RUN}/containerd"
[grpc]
  address = "${CONTAINERD_SOCKET}"
[ttrpc]
  address = "${CONTAINERD_SOCKET}.ttrpc"
[plugins."io.containerd.cri.v1.images"]
  snapshotter = "overlayfs"
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "${PAUSE_IMAGE}"
[plugins."io.containerd.cri.v1.runtime"]
  # Root without CAP_SYS_RESOURCE may not lower an OOM score; without this no pod starts there.
  restrict_oom_score_adj = true
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["/usr/lib/cni"]
    conf_dir = "${CNI_CONFIG}"
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
      SystemdCgroup = false
      BinaryName = "${binary('runc', 'runc')}"
`

const KUBELET_CONFIG = {
  apiVersion: 'kubelet.config.k8s.io/v1beta1',
  kind: 'KubeletConfiguration',
  failCgroupV1: false,
  cgroupDriver: 'cgroupfs',
  containerRuntimeEndpoint: `unix://${CONTAINERD_SOCKET}`,
  authentication: {
    x509: { clientCAFile: join(PKI, 'ca.crt') },
    anonymous: { enabled: false },
    webhook: { enabled: true },
  },
  authorization: { mode: 'Webhook' },
  tlsCertFile: join(PKI, 'node.crt'),
  tlsPrivateKeyFile: join(PKI, 'node.key'),
  clusterDNS: ['10.96.0.10'],
  clusterDomain: 'cluster.local',
  failSwapOn: false,
  imageGCHighThresholdPercent: 100,
  evictionHard: {
    'memory.available': '100Mi',
    'nodefs.available': '1%',
    'imagefs.available': '1%',
    'nodefs.inodesFree': '1%',
  },
  volumePluginDir: join(STATE, 'volume-plugins'),
  enforceNodeAllocatable: [],
  // Twenty pods must be able to start at once, and the defaults (5 a second) would be the slowest part of a scale-up.
  kubeAPIQPS: 100,
  kubeAPIBurst: 200,
  serializeImagePulls: false,
  maxPods: 250,
}

const containerd: ProcessSpec = {
  name: 'containerd',
  command: binary('containerd', 'containerd'),
  args: ['--config', join(STATE, 'containerd.toml')],
  env: { PATH: [binary('containerd', ''), binary('runc', ''), process.env.PATH].join(':') },
  ready: () => succeeds(binary('containerd', 'ctr'), ['--address', CONTAINERD_SOCKET, 'version']),
}

const kubelet: ProcessSpec = {
  name: 'kubelet',
  command: binary('kubernetes', 'kubelet'),
  args: [
    `--config=${join(STATE, 'kubelet.json')}`,
    `--kubeconfig=${kubeconfigOf('node')}`,
    `--root-dir=${join(STATE, 'kubelet')}`,
    `--hostname-override=${NODE_NAME}`,
    `--node-ip=${BRIDGE_ADDRESS}`,
  ],
  ready: async () =>
    (await kubectl(['get', 'node', NODE_NAME, '-o', 'jsonpath={.status.conditions[?(@.type=="Ready")].status}'])) ===
    'True',
}

const kubeProxy: ProcessSpec = {
  name: 'kube-proxy',
  command: binary('kubernetes', 'kube-proxy'),
  args: [
    `--kubeconfig=${kubeconfigOf('kube-proxy')}`,
    `--hostname-override=${NODE_NAME}`,
    '--proxy-mode=iptables',
    `--cluster-cidr=${POD_CIDR}`,
    '--conntrack-max-per-core=0',
  ],
  ready: async () => (await fetch('http://127.0.0.1:10256/healthz')).ok,
}

/** In the order in which they must start; their configuration is written first. */
export const node = (): ProcessSpec[] => {
  mkdirSync(join(STATE, 'kubelet'), { recursive: true })
  writeFileSync(join(STATE, 'containerd.toml'), CONTAINERD_CONFIG)
  writeFileSync(join(STATE, 'kubelet.json'), JSON.stringify(KUBELET_CONFIG))
  return [containerd, kubelet, kubeProxy]
}

/** Runs containerd's client on the images and containers of Kubernetes. */
export const ctr = (...args: string[]): Promise<string> =>
  run(binary('containerd', 'ctr'), ['--address', CONTAINERD_SOCKET, '--namespace', 'k8s.io', ...args])
