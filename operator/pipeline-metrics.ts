import { Counter, Gauge } from 'prom-client'
import type { Condition } from '#kit/conditions.ts'
import type { Metrics } from '#runtime/metrics.ts'
import type { Pipeline } from './decide/pipeline.ts'
import { type ChildKind, RESOURCES } from './decide/resources.ts'

export type PipelineMetrics = {
  /** The conditions of a pipeline as they are now. */
  conditions: (pipeline: Pipeline, conditions: readonly Condition[]) => void
  /** A pipeline is gone: its series go with it. */
  forget: (pipeline: Pipeline) => void
  skipped: (count: number) => void
  drifted: (kind: ChildKind) => void
  orphaned: () => void
  abandoned: () => void
}

const STATUSES = ['True', 'False', 'Unknown'] as const

/** What the operator does to pipelines, beside what every controller measures. */
export const createPipelineMetrics = (registry: Metrics): PipelineMetrics => {
  const registers = [registry]
  const labelNames = ['pipeline', 'pipeline_namespace', 'type', 'status'] as const
  const condition = new Gauge({
    name: 'xray_pipeline_condition',
    help: '1 for the status that a condition of a pipeline has, 0 for the others',
    labelNames,
    registers,
  })
  const skipped = new Counter({
    name: 'xray_pipeline_ssa_skipped_total',
    help: 'Children that were as they shall be, so that nothing was sent',
    registers,
  })
  const drift = new Counter({
    name: 'xray_pipeline_drift_corrected_total',
    help: 'Children that somebody had changed and that were put back',
    labelNames: ['kind'],
    registers,
  })
  const orphans = new Counter({
    name: 'xray_orphans_deleted_total',
    help: 'Children that were no longer wanted and were removed',
    registers,
  })
  const abandoned = new Counter({
    name: 'xray_finalizer_abandoned_total',
    help: 'Pipelines that were let go although their queues could not be deleted',
    registers,
  })
  for (const { kind } of Object.values(RESOURCES)) drift.inc({ kind }, 0)
  /** By pipeline, the status of each of its conditions. */
  const known = new Map<string, Map<string, string>>()
  const labelsOf = ({ metadata }: Pipeline) => ({
    pipeline: metadata.name,
    pipeline_namespace: metadata.namespace ?? '',
  })
  const keyOf = (pipeline: Pipeline) => Object.values(labelsOf(pipeline)).join('\n')
  return {
    conditions: (pipeline, conditions) => {
      const before = known.get(keyOf(pipeline)) ?? new Map<string, string>()
      known.set(keyOf(pipeline), before)
      for (const { type, status: holds } of conditions) {
        if (before.get(type) === holds) continue
        before.set(type, holds)
        for (const status of STATUSES) condition.set({ ...labelsOf(pipeline), type, status }, status === holds ? 1 : 0)
      }
    },
    forget: (pipeline) => {
      for (const type of known.get(keyOf(pipeline))?.keys() ?? [])
        for (const status of STATUSES) condition.remove({ ...labelsOf(pipeline), type, status })
      known.delete(keyOf(pipeline))
    },
    skipped: (count) => skipped.inc(count),
    drifted: (kind) => drift.inc({ kind: RESOURCES[kind].kind }),
    orphaned: () => orphans.inc(),
    abandoned: () => abandoned.inc(),
  }
}
