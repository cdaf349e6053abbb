import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { KubeConfig } from '@kubernetes/client-node'
import { type Client, createClient } from '#kit/client.ts'
import type { ControlPlane } from './control-plane.ts'

export const CONFIG_MAPS = { group: '', version: 'v1', plural: 'configmaps', kind: 'ConfigMap' }

/** The kit's client as the control plane's administrator, or through another door to it. */
export const openClient = ({ folder, server }: ControlPlane, through = server): Client => {
  const kubeConfig = new KubeConfig()
  kubeConfig.loadFromString(readFileSync(join(folder, 'admin.kubeconfig'), 'utf8').replaceAll(server, through))
  const metrics = { answered: () => undefined, retried: () => undefined }
  return createClient(kubeConfig, { userAgent: 'kit-test', metrics })
}

export const configMap = (name: string, data: Record<string, string> = {}, metadata: object = {}) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'default', ...metadata },
  data,
})

export const pathOf = (name: string): string => `/api/v1/namespaces/default/configmaps/${name}`
