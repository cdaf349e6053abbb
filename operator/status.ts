import { toConditions } from '#kit/conditions.ts'
import { canonical } from './decide/canonical.ts'
import { findingsOf, type Seen } from './decide/findings.ts'
import {
  COMPONENTS,
  type Component,
  type ComponentStatus,
  type Pipeline,
  type PipelineStatus,
  selectorOf,
} from './decide/pipeline.ts'

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
export const isSameStatus = (before: Partial<PipelineStatus> | undefined, after: PipelineStatus): boolean =>
  canonical(before ?? {}) === canonical(after)
