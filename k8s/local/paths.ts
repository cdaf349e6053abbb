import { homedir } from 'node:os'
import { join, resolve } from 'node:path'

/** Where the local cluster keeps what. */
export const CHECKOUT = resolve(import.meta.dirname, '../..')
/** The cluster's data: survives a reboot, goes with `npm stop -- --purge`. */
export const STATE = join(CHECKOUT, '.xray')
/** Sockets, mounts and pids: short paths, because a unix socket's path has at most 107 characters; gone at a reboot. */
export const RUN = '/run/xrayiot'
/** Built binaries and images, shared by all checkouts of this user. */
export const CACHE = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'xrayiot')

export const KUBECONFIG = join(STATE, 'kubeconfig')
export const PKI = join(STATE, 'pki')
export const LOGS = join(STATE, 'log')
export const CONTAINERD_SOCKET = join(RUN, 'containerd.sock')

export const BRIDGE = 'br-xray'
export const BRIDGE_ADDRESS = '10.88.0.1'
export const POD_CIDR = '10.88.0.0/16'
export const SERVICE_CIDR = '10.96.0.0/16'
export const NODE_NAME = 'xray-local'

/** What a browser and a device reach, the same as with kind. */
export const PORTS = { api: 30080, ingest: 30081, management: 30672, prometheus: 30090 } as const
