import { toConditions } from '#kit/conditions.ts'
import { isSame } from './decide/canonical.ts'
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

/** Figures that move with every message; by themselves they are written no more often than so. */
const FIGURES = ['backlog', 'deadLetters'] as const
const FIGURES_MS = 30_000

/**
 * True when the status is to be written: when anything differs that somebody reads, and of figures alone not within 30 s
 * after the last write.
 * @param writtenMs since the last write of this process; undefined before the first
 */
export const isStatusDue = (
  before: Partial<PipelineStatus> | undefined,
  after: PipelineStatus,
  writtenMs: number | undefined,
): boolean => {
  if (isSame(before ?? {}, after)) return false
  if (writtenMs === undefined || writtenMs >= FIGURES_MS) return true
  const known = FIGURES.filter((name) => before?.[name] !== undefined && after[name] !== undefined)
  const figures = Object.fromEntries(known.map((name) => [name, before?.[name]]))
  return !isSame(before ?? {}, { ...after, ...figures })
}
