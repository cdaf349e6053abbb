import type { KubeObject } from '#kit/client.ts'
import { toConditions } from '#kit/conditions.ts'
import { findingsOf, type Seen } from './decide/findings.ts'
import {
  COMPONENTS,
  type Component,
  type ComponentStatus,
  type Pipeline,
  type PipelineStatus,
  selectorOf,
} from './decide/pipeline.ts'

type DeploymentStatus = {
  readyReplicas?: number
  updatedReplicas?: number
  replicas?: number
  observedGeneration?: number
  conditions?: { type: string; status: string; reason?: string; message?: string }[]
}

/** What a component's Deployment tells of it; `desired` as decided, also before the Deployment knows. */
export const componentOf = (
  live: KubeObject | undefined,
  desired: number,
  image: string,
): ComponentStatus & { progressing: boolean; failure: string | undefined } => {
  const status = (live?.status ?? {}) as DeploymentStatus
  const current = status.observedGeneration === live?.metadata.generation
  const failure = status.conditions?.find(
    ({ type, status: holds }) =>
      (type === 'Progressing' && holds === 'False') || (type === 'ReplicaFailure' && holds === 'True'),
  )
  // Which of the ready pods are of this template is not told; all of the former one are taken for ready.
  const former = (status.replicas ?? 0) - (status.updatedReplicas ?? 0)
  const ready = Math.max(0, Math.min((status.readyReplicas ?? 0) - former, desired))
  return {
    desired,
    ready: current ? ready : 0,
    image,
    progressing: !current || former > 0 || (status.updatedReplicas ?? 0) < desired,
    failure:
      current && failure !== undefined
        ? (failure.message ?? failure.reason ?? 'failed').replace(/"[^"]*"/g, 'of the new pods')
        : undefined,
  }
}

/** The whole status of a pipeline. */
export const statusOf = (
  pipeline: Pipeline,
  seen: Seen,
  depths: { backlog?: number; deadLetters?: number },
  running: number,
  now: Date,
): PipelineStatus => {
  const { generation = 0, name } = pipeline.metadata
  const conditions = toConditions(findingsOf(seen), pipeline.status?.conditions ?? [], generation, now)
  const components = Object.fromEntries(
    COMPONENTS.map((component) => {
      const { desired, ready, image } = seen.components[component]
      return [component, { desired, ready, image }]
    }),
  ) as Record<Component, ComponentStatus>
  return {
    observedGeneration: generation,
    conditions,
    reason: conditions[0]?.reason ?? '',
    components,
    signals: `${components.signals.ready}/${components.signals.desired}`,
    replicas: running,
    selector: Object.entries(selectorOf(name, 'signals'))
      .map(([label, value]) => `${label}=${value}`)
      .join(','),
    ...depths,
    ...(seen.scaling !== undefined && { scaling: seen.scaling }),
  }
}

/** True when writing the status would change nothing that anybody reads. */
export const isSameStatus = (before: Partial<PipelineStatus> | undefined, after: PipelineStatus): boolean => {
  const sorted = (value: unknown): string =>
    JSON.stringify(value, (_, part) =>
      part !== null && typeof part === 'object' && !Array.isArray(part)
        ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
        : part,
    )
  return sorted(before ?? {}) === sorted(after)
}
