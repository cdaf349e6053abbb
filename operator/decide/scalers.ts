import type { Elsewhere } from '#contract/scaling/situation.ts'
import type { KubeObject } from '#kit/client.ts'
import type { Resource } from '#kit/resource.ts'
import type { Pipeline } from './pipeline.ts'
import { KEDA } from './scaled-object.ts'

export const AUTOSCALER: Resource = {
  group: 'autoscaling',
  version: 'v2',
  plural: 'horizontalpodautoscalers',
  kind: 'HorizontalPodAutoscaler',
}

/** What scales, or may come to scale, the signals pods of a pipeline beside the operator. */
export type ScalersSeen = {
  /** Those that have the signals Deployment as their target. */
  autoscalers: readonly KubeObject[]
  /** The same; undefined when the cluster has no KEDA. */
  scaledObjects: readonly KubeObject[] | undefined
  /** False while the ScaledObjects are being listed: then there may be more. */
  listed: boolean
}

type Target = { apiVersion?: string; kind?: string; name?: string }

/** `namespace/name` of the Deployment that an HPA or a ScaledObject scales; none when it scales another kind. */
export const targetsOf = ({ kind, metadata, spec }: KubeObject): string[] => {
  const { scaleTargetRef } = (spec ?? {}) as { scaleTargetRef?: Target }
  const isDeployment =
    scaleTargetRef?.kind === 'Deployment' || (kind === KEDA.scaledObject.kind && scaleTargetRef?.kind === undefined)
  return isDeployment && scaleTargetRef?.name !== undefined
    ? [`${metadata.namespace ?? ''}/${scaleTargetRef.name}`]
    : []
}

const SIGNALS = '-signals'

/** The key of the pipeline whose signals Deployment a target is, if it is one's. */
export const pipelineOfTarget = (target: string): string[] =>
  target.endsWith(SIGNALS) ? [target.slice(0, -SIGNALS.length)] : []

export const signalsTarget = ({ metadata }: Pipeline): string =>
  `${metadata.namespace ?? ''}/${metadata.name}${SIGNALS}`

/** What is compared and read of an HPA; its status changes four times a minute. */
export const trimmedAutoscaler = ({ apiVersion, kind, metadata, spec }: KubeObject): KubeObject => {
  const { name, namespace, uid, resourceVersion, ownerReferences } = metadata
  return {
    apiVersion,
    kind,
    metadata: {
      name,
      ...(namespace !== undefined && { namespace }),
      ...(uid !== undefined && { uid }),
      ...(resourceVersion !== undefined && { resourceVersion }),
      ...(ownerReferences !== undefined && { ownerReferences }),
    },
    spec: { scaleTargetRef: (spec as { scaleTargetRef?: Target } | undefined)?.scaleTargetRef },
  }
}

export const isOwnedBy = ({ metadata }: Pipeline, object: KubeObject): boolean =>
  object.metadata.ownerReferences?.some(({ uid }) => uid === metadata.uid) ?? false

/** The ScaledObject that an HPA is KEDA's means of. */
const scaledObjectBehind = ({ metadata }: KubeObject) =>
  metadata.ownerReferences?.find(
    ({ kind, apiVersion }) => kind === KEDA.scaledObject.kind && apiVersion.startsWith('keda.sh/'),
  )

type Sorted = {
  own: KubeObject | undefined
  /** An HPA is left that KEDA made for a ScaledObject of ours. */
  ownAutoscaler: boolean
  /** Each as "Kind name". */
  foreign: string[]
}

const sorted = (pipeline: Pipeline, { autoscalers, scaledObjects = [] }: ScalersSeen): Sorted => {
  const foreign = scaledObjects.filter((object) => !isOwnedBy(pipeline, object))
  const names = new Set(foreign.map(({ metadata }) => `${KEDA.scaledObject.kind} ${metadata.name}`))
  let ownAutoscaler = false
  for (const autoscaler of autoscalers) {
    const behind = scaledObjectBehind(autoscaler)
    if (behind === undefined) names.add(`${AUTOSCALER.kind} ${autoscaler.metadata.name}`)
    // One that is gone, or that nobody lists, was ours if it had our name.
    else if (behind.name === pipeline.metadata.name && !foreign.some(({ metadata }) => metadata.uid === behind.uid))
      ownAutoscaler = true
    else names.add(`${KEDA.scaledObject.kind} ${behind.name}`)
  }
  const own = scaledObjects.find((object) => isOwnedBy(pipeline, object))
  return { own, ownAutoscaler, foreign: [...names].sort() }
}

type KedaCondition = { type: string; status: string; message?: string }

const MESSAGE = 500

/** What KEDA says of a ScaledObject, in the words of our own conditions. */
const verdictOf = ({ metadata, status }: KubeObject): Elsewhere => {
  const { conditions = [] } = (status ?? {}) as { conditions?: KedaCondition[] }
  const find = (type: string) => conditions.find((condition) => condition.type === type)
  const said = (type: string) => (find(type)?.message ?? '').slice(0, MESSAGE)
  const name = `${KEDA.scaledObject.kind} ${metadata.name}`
  if (find('Paused')?.status === 'True') return { reason: 'Paused', message: `an annotation holds the ${name}` }
  const ready = find('Ready')?.status
  if (ready === 'False') return { reason: 'KedaNotReady', message: `KEDA says of the ${name}: ${said('Ready')}` }
  if (ready !== 'True')
    return { reason: 'KedaPending', message: `KEDA has not said yet what it makes of the ${name}: is its operator up?` }
  if (find('Fallback')?.status === 'True')
    return { reason: 'Fallback', message: `KEDA cannot read a trigger of the ${name}: ${said('Fallback')}` }
  const active = find('Active')?.status
  const triggers = active === 'True' ? 'a trigger is active' : active === 'False' ? 'no trigger is active' : undefined
  return { reason: 'LeftToKeda', message: `the ${name} decides${triggers === undefined ? '' : `: ${triggers}`}` }
}

/**
 * What keeps the operator from deciding on the number of signals pods; undefined when nothing does. While there is
 * something, the number is no field of ours.
 */
export const elsewhereOf = (pipeline: Pipeline, seen: ScalersSeen): Elsewhere | undefined => {
  const { scaling, replicas } = pipeline.spec.signals
  // An operator that has just started goes by what the status shows, until it knows better.
  const former = pipeline.status?.scaling?.inputs?.elsewhere
  if (!seen.listed && former != null) return former
  const { own, ownAutoscaler, foreign } = sorted(pipeline, seen)
  if (foreign.length > 0) {
    const names = foreign.join(' and ')
    if (scaling.provider === 'None' && replicas === undefined)
      return {
        reason: 'ScalingOff',
        message: `the ${names} decides, because provider is None and spec.signals.replicas is left out`,
      }
    return {
      reason: 'Conflict',
      message: `the ${names} scales the same pods: delete it, or leave the number to it by provider None without spec.signals.replicas`,
    }
  }
  if (scaling.provider === 'KEDA') {
    if (seen.scaledObjects === undefined)
      return {
        reason: 'KedaMissing',
        message: 'the cluster has no KEDA: install it, or set spec.signals.scaling.provider to Native',
      }
    if (own === undefined) return { reason: 'KedaPending', message: 'the ScaledObject is being made' }
    return verdictOf(own)
  }
  if (own !== undefined || ownAutoscaler)
    return {
      reason: 'KedaLeaving',
      message: `the ScaledObject ${pipeline.metadata.name} and its HPA are being removed, the former by KEDA's operator`,
    }
  return undefined
}
