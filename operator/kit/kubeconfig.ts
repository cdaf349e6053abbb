import { readFile } from 'node:fs/promises'
import type { RequestOptions } from 'node:https'
import { join } from 'node:path'
import type { KubeConfig } from '@kubernetes/client-node'

/** What a client needs of a kubeconfig. client-node's own class is one. */
export type KubeAccess = Pick<KubeConfig, 'getCurrentCluster' | 'getCurrentUser' | 'applyToHTTPSOptions'>

/** Where the kubelet puts what a pod needs to reach the API server. */
const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount'

/** The service account of this pod; its files are read anew each time, because they are rotated. */
const ofPod = (host: string, port: string, folder: string): KubeAccess => ({
  getCurrentCluster: () => ({
    name: 'pod',
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    skipTLSVerify: false,
  }),
  getCurrentUser: () => ({
    name: 'pod',
    authProvider: { name: 'tokenFile', config: { tokenFile: join(folder, 'token') } },
  }),
  applyToHTTPSOptions: async (options: RequestOptions) => {
    options.ca = await readFile(join(folder, 'ca.crt'))
  },
})

/**
 * The service account in a pod, unless `KUBECONFIG` names a file; elsewhere that file or the usual one. client-node is
 * loaded only where there is a kubeconfig to read: its models of every kind are 65 MB of resident memory.
 * @param folder of the service account's files
 */
export const loadKubeConfig = async (
  env: Record<string, string | undefined>,
  folder = SERVICE_ACCOUNT,
): Promise<KubeAccess> => {
  const { KUBECONFIG, KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = env
  if (!KUBECONFIG && host) return ofPod(host, port, folder)
  const { KubeConfig } = await import('@kubernetes/client-node')
  const kubeConfig = new KubeConfig()
  kubeConfig.loadFromDefault()
  return kubeConfig
}
