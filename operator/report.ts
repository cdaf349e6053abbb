import type { Client } from '#kit/client.ts'
import type { Recorder } from '#kit/events.ts'
import { objectPath } from '#kit/resource.ts'
import { PIPELINES } from './cluster/caches.ts'
import type { DrainPlan } from './decide/drain.ts'
import type { Pipeline, PipelineStatus } from './decide/pipeline.ts'
import type { ScalingPlan } from './decide/scaling.ts'
import type { Memories } from './observe.ts'
import type { PipelineMetrics } from './pipeline-metrics.ts'
import { isStatusDue } from './status.ts'

export type ReportContext = {
  client: Client
  memories: Memories
  record: Recorder
  pipelineMetrics: PipelineMetrics
  now: () => number
}

/** Writes fields of a pipeline itself. */
export const patch = (
  { client }: Pick<ReportContext, 'client'>,
  { metadata }: Pipeline,
  subresource: '' | '/status',
  body: object,
): Promise<unknown> =>
  client.request({
    method: 'PATCH',
    path: `${objectPath(PIPELINES, metadata.namespace ?? '', metadata.name)}${subresource}`,
    body,
    contentType: 'application/merge-patch+json',
  })

/** Writes the status when it is due, and an event when the reason of Ready, or who scales, is another. */
export const tell = async (context: ReportContext, pipeline: Pipeline, status: PipelineStatus): Promise<void> => {
  context.pipelineMetrics.conditions(pipeline, status.conditions)
  const memory = context.memories.of(pipeline)
  const writtenMs = memory.statusAtMs === undefined ? undefined : context.now() - memory.statusAtMs
  if (!isStatusDue(pipeline.status, status, writtenMs)) return
  memory.statusAtMs = context.now()
  const gone = Object.keys(pipeline.status ?? {}).filter((field) => !(field in status))
  const cleared = Object.fromEntries(gone.map((field) => [field, null]))
  await patch(context, pipeline, '/status', { status: { ...cleared, ...status } })
  const tellChange = ({ type, action }: { type: string; action: string }): void => {
    const [before, after] = [pipeline.status?.conditions, status.conditions].map((conditions) =>
      conditions?.find((condition) => condition.type === type),
    )
    if (after !== undefined && before?.reason !== after.reason)
      context.record(pipeline, {
        type: after.status === 'False' ? 'Warning' : 'Normal',
        reason: after.reason,
        action,
        note: after.message,
      })
  }
  tellChange({ type: 'Ready', action: 'Reconcile' })
  // What the operator decides itself is told when it scales.
  if (status.scaling?.inputs?.elsewhere != null) tellChange({ type: 'ScalingActive', action: 'Scale' })
}

/**
 * Events of a change of the number: of the decision when it is made, of the pods when they go, stay after all, or had
 * no time to finish.
 * @param scaled the Deployment has another number now
 */
export const recordScaling = (
  { record, pipelineMetrics }: ReportContext,
  pipeline: Pipeline,
  { reason, message }: ScalingPlan,
  { status, news }: DrainPlan,
  scaled: boolean,
): void => {
  const begun = status !== undefined && pipeline.status?.scaling?.drain === undefined
  const isOver = news !== undefined && (scaled || news.reason === 'DrainCancelled')
  if (begun || (scaled && (news === undefined || news.reason === 'DrainCancelled')))
    record(pipeline, { type: 'Normal', reason, action: 'Scale', note: `signals: ${message}` })
  if (!isOver) return
  pipelineMetrics.drained(news.reason)
  record(pipeline, { ...news, type: news.reason === 'DrainTimedOut' ? 'Warning' : 'Normal', action: 'Drain' })
}
