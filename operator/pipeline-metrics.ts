import { Counter, Gauge } from 'prom-client'
import type { Condition } from '#kit/conditions.ts'
import type { Metrics } from '#runtime/metrics.ts'
import { DRAIN_REASONS } from './decide/drain.ts'
import type { Pipeline } from './decide/pipeline.ts'
import { type ChildKind, RESOURCES } from './decide/resources.ts'

type DrainReason = (typeof DRAIN_REASONS)[number]

export type PipelineMetrics = {
  /** The conditions of a pipeline as they are now. */
  conditions: (pipeline: Pipeline, conditions: readonly Condition[]) => void
  /** A pipeline is gone: its series go with it. */
  forget: (pipeline: Pipeline) => void
  /** Pods of a pipeline that are to go and are still there. */
  draining: (pipeline: Pipeline, count: number) => void
  /** A drain is over, one way or another. */
  drained: (reason: DrainReason) => void
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
  const draining = new Gauge({
    name: 'xray_pipeline_draining_pods',
    help: 'Signals pods that are to go and are still there',
    labelNames: ['pipeline', 'pipeline_namespace'],
    registers,
  })
  const drains = new Counter({
    name: 'xray_pipeline_drains_total',
    help: 'Times that pods were taken away or were to be, by how that ended',
    labelNames: ['reason'],
    registers,
  })
  for (const reason of DRAIN_REASONS) drains.inc({ reason }, 0)
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
      draining.remove(labelsOf(pipeline))
    },
    draining: (pipeline, count) => draining.set(labelsOf(pipeline), count),
    drained: (reason) => drains.inc({ reason }),
    skipped: (count) => skipped.inc(count),
    drifted: (kind) => drift.inc({ kind: RESOURCES[kind].kind }),
    orphaned: () => orphans.inc(),
    abandoned: () => abandoned.inc(),
  }
}
