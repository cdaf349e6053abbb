import type { PipelineSpec } from '#contract/pipeline.ts'
import type { KubeObject } from '#kit/client.ts'
import type { Condition } from '#kit/conditions.ts'
import type { ScalingStatus } from './scaling.ts'

export const COMPONENTS = ['producer', 'signals', 'api'] as const
export type Component = (typeof COMPONENTS)[number]

export type ComponentStatus = { desired: number; ready: number; image: string }

export type PipelineStatus = {
  observedGeneration: number
  conditions: Condition[]
  reason: string
  components: Record<Component, ComponentStatus>
  signals: string
  replicas: number
  selector: string
  backlog?: number
  deadLetters?: number
  scaling?: ScalingStatus
}

/** An XRayPipeline as the API server hands it out, with its defaults filled in. */
export type Pipeline = KubeObject & { spec: PipelineSpec; status?: Partial<PipelineStatus> }

export const FINALIZER = 'xrayiot.dev/topology'

/** The labels by which a component's pods are found. Immutable: a Deployment's selector cannot be changed. */
export const selectorOf = (pipelineName: string, component: Component): Record<string, string> => ({
  'app.kubernetes.io/name': 'xrayiot',
  'app.kubernetes.io/instance': pipelineName,
  'app.kubernetes.io/component': component,
})

export const labelsOf = (pipelineName: string, component: Component): Record<string, string> => ({
  ...selectorOf(pipelineName, component),
  'app.kubernetes.io/part-of': 'xrayiot',
  'app.kubernetes.io/managed-by': 'xray-operator',
})

/** Every child carries this; the caches watch nothing else. */
export const CHILD_SELECTOR = 'app.kubernetes.io/managed-by=xray-operator,app.kubernetes.io/part-of=xrayiot'

/** Two pipelines with the same value here would take each other's messages. */
export const queueIdentity = ({ metadata, spec }: Pipeline): string =>
  [metadata.namespace, spec.broker.secretRef.name, spec.broker.vhost, spec.broker.queue].join('\n')

/**
 * The pipeline that had this one's queue first, if any; the older keeps it, and of two of the same second the one whose
 * uid sorts first.
 */
export const queueHolder = (pipeline: Pipeline, all: readonly Pipeline[]): Pipeline | undefined => {
  const age = ({ metadata }: Pipeline) => `${metadata.creationTimestamp} ${metadata.uid}`
  return all
    .filter((other) => other.metadata.uid !== pipeline.metadata.uid && queueIdentity(other) === queueIdentity(pipeline))
    .find((other) => age(other) < age(pipeline))
}
