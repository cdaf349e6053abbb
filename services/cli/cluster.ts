import { GROUP, type PipelineSpec, PLURAL, VERSION } from '#contract/pipeline.ts'
import type { ScalingStatus } from '#contract/scaling/status.ts'
import { EXIT, Failure } from './failure.ts'
import { type Kube, type KubeObject, openKube, readKubeConfig } from './kube.ts'
import { suggestion } from './nearest.ts'
import type { Settings } from './settings.ts'

export type ConditionView = {
  type: string
  status: string
  reason: string
  message: string
  lastTransitionTime?: string
  observedGeneration?: number
}

/** What the operator tells of its scaling; a former one told less. */
export type ScalingView = Partial<ScalingStatus> & { reason: string; message: string }

/** A pipeline as the API server hands it out. */
export type PipelineView = KubeObject & {
  spec: Partial<PipelineSpec>
  status?: {
    observedGeneration?: number
    conditions?: ConditionView[]
    components?: Record<string, { desired: number; ready: number; image: string }>
    backlog?: number
    deadLetters?: number
    scaling?: ScalingView
  }
}

export type Secret = KubeObject & { data?: Record<string, string> }

/** Where pipelines are: all, those of a namespace, or one. */
export const pipelinePath = (namespace?: string, name?: string): string =>
  [
    `/apis/${GROUP}/${VERSION}`,
    ...(namespace === undefined ? [] : [`namespaces/${namespace}`]),
    PLURAL,
    ...(name === undefined ? [] : [name]),
  ].join('/')

/** The labels that a pipeline's children have, as a query of the API. */
export const childrenQuery = (pipeline: string, component?: string): string =>
  `labelSelector=${encodeURIComponent(
    [
      'app.kubernetes.io/part-of=xrayiot',
      `app.kubernetes.io/instance=${pipeline}`,
      'app.kubernetes.io/managed-by=xray-operator',
      ...(component === undefined ? [] : [`app.kubernetes.io/component=${component}`]),
    ].join(','),
  )}`

export const conditionOf = (pipeline: PipelineView, type: string): ConditionView | undefined =>
  pipeline.status?.conditions?.find((condition) => condition.type === type)

/** Reads of the cluster for the pipeline that the settings name. @throws Failure */
export const openCluster = (settings: Settings, kube: Kube = openKube(readKubeConfig(settings.kubeconfig.value))) => {
  const [namespace, name] = [settings.namespace.value, settings.pipeline.value]
  const pipelines = async (everywhere = false): Promise<{ items: PipelineView[]; resourceVersion: string }> =>
    kube
      .list<PipelineView>(pipelinePath(everywhere ? undefined : namespace), 'the kind XRayPipeline')
      .catch((error: Failure) => {
        if (error.exit !== EXIT.notFound) throw error
        throw new Failure(
          EXIT.notFound,
          'the cluster does not know the kind XRayPipeline: install the operator (helm install xray-operator charts/xray-operator -n xray-system --create-namespace)',
        )
      })
  const pipeline = async (): Promise<PipelineView> => {
    try {
      return await kube.get<PipelineView>(pipelinePath(namespace, name), `the pipeline ${namespace}/${name}`)
    } catch (error) {
      if (!(error instanceof Failure) || error.exit !== EXIT.notFound) throw error
      const names = (await pipelines()).items.map(({ metadata }) => metadata.name)
      throw new Failure(
        EXIT.notFound,
        `${error.message}${suggestion(name, names, `the namespace has no pipeline; "xrayctl status -A" lists all`)}`,
      )
    }
  }
  const secret = (secretName: string): Promise<Secret> =>
    kube.get<Secret>(`/api/v1/namespaces/${namespace}/secrets/${secretName}`, `the Secret ${namespace}/${secretName}`)
  return {
    kube,
    namespace,
    name,
    server: kube.server,
    pipeline,
    pipelines,
    secret,
    /** One key of the pipeline's keys Secret. */
    key: async (key: string): Promise<string> => {
      const secretName = (await pipeline()).spec.keys?.secretRef?.name ?? `${name}-keys`
      const value = (await secret(secretName)).data?.[key]
      if (value === undefined)
        throw new Failure(EXIT.notFound, `the Secret ${namespace}/${secretName} has no key "${key}"`)
      return Buffer.from(value, 'base64').toString().trim()
    },
  }
}

export type Cluster = ReturnType<typeof openCluster>
