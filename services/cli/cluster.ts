import { CoreV1Api, CustomObjectsApi, KubeConfig } from '@kubernetes/client-node'
import { GROUP, PLURAL, VERSION } from '#contract/pipeline.ts'
import type { ScalingStatus } from '#contract/scaling/status.ts'
import { EXIT, Failure } from './failure.ts'
import type { Settings } from './settings.ts'

export type PipelineView = {
  metadata: { name: string; namespace: string; generation?: number }
  spec: { keys?: { secretRef?: { name: string } } }
  status?: {
    observedGeneration?: number
    conditions?: { type: string; status: string; reason: string; message: string }[]
    components?: Record<string, { desired: number; ready: number; image: string }>
    backlog?: number
    deadLetters?: number
    scaling?: Partial<ScalingStatus> & { reason: string; message: string }
  }
}

const failureOf = (error: unknown, what: string): Failure => {
  const status = (error as { code?: number }).code
  if (status === 404) return new Failure(EXIT.notFound, `${what} is not there`)
  if (status === 401 || status === 403) return new Failure(EXIT.denied, `${what} may not be read with this kubeconfig`)
  return new Failure(EXIT.unreachable, `${what} cannot be read: ${(error as Error).message.split('\n')[0]}`)
}

/** Reads of the cluster, as far as the commands need them. */
export const openCluster = (settings: Settings) => {
  const kubeConfig = new KubeConfig()
  if (settings.kubeconfig.value === '') kubeConfig.loadFromDefault()
  else kubeConfig.loadFromFile(settings.kubeconfig.value)
  const [namespace, name] = [settings.namespace.value, settings.pipeline.value]
  const pipeline = (): Promise<PipelineView> =>
    kubeConfig
      .makeApiClient(CustomObjectsApi)
      .getNamespacedCustomObject({ group: GROUP, version: VERSION, namespace, plural: PLURAL, name })
      .catch((error) => {
        throw failureOf(error, `the pipeline ${namespace}/${name}`)
      })
  return {
    server: kubeConfig.getCurrentCluster()?.server ?? '',
    pipeline,
    /** One key of the pipeline's keys Secret. */
    key: async (key: string): Promise<string> => {
      const secretName = (await pipeline()).spec.keys?.secretRef?.name ?? `${name}-keys`
      const secret = await kubeConfig
        .makeApiClient(CoreV1Api)
        .readNamespacedSecret({ namespace, name: secretName })
        .catch((error) => {
          throw failureOf(error, `the Secret ${namespace}/${secretName}`)
        })
      const value = secret.data?.[key]
      if (value === undefined)
        throw new Failure(EXIT.notFound, `the Secret ${namespace}/${secretName} has no key "${key}"`)
      return Buffer.from(value, 'base64').toString().trim()
    },
  }
}

export type Cluster = ReturnType<typeof openCluster>
