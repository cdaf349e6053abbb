import { keysSecretName, type PipelineSpec, topologySpecOf } from '#contract/pipeline.ts'
import { formerRetryQueues, topologyNames } from '#contract/topology.ts'
import { type Client, isNotFound, type KubeObject } from '#kit/client.ts'
import type { Recorder } from '#kit/events.ts'
import { hasFinalizer, withoutFinalizer } from '#kit/finalizers.ts'
import { objectPath } from '#kit/resource.ts'
import type { Done } from '#kit/work-queue.ts'
import type { Broker } from './cluster/broker.ts'
import { type Caches, PIPELINES } from './cluster/caches.ts'
import type { Secrets } from './cluster/secrets.ts'
import { deleteTopology, removeFormerQueues } from './cluster/topology.ts'
import { FINALIZER, type Pipeline, queueHolder } from './decide/pipeline.ts'
import type { PipelineMetrics } from './pipeline-metrics.ts'

/** A pipeline must not stay for ever because its broker is gone. */
const GIVE_UP_MS = 60_000
const RETRY_MS = 5_000

export type FinalizeContext = {
  client: Client
  caches: Caches
  secrets: Secrets
  broker: (namespace: string, spec: PipelineSpec) => Promise<Broker>
  /** Forgets all that is kept of a pipeline that is gone. */
  forget: (pipeline: Pipeline) => void
  record: Recorder
  pipelineMetrics: PipelineMetrics
  now: () => number
}

/** The queues go, and the exchanges and dead letters unless another pipeline uses them, too. */
const removeTopology = async (context: FinalizeContext, pipeline: Pipeline): Promise<void> => {
  const names = topologyNames(topologySpecOf(pipeline.spec))
  const others = context.caches.pipelines().filter(({ metadata }) => metadata.uid !== pipeline.metadata.uid)
  const shared = others.some(({ spec, metadata }) => {
    const { broker } = pipeline.spec
    return (
      metadata.namespace === pipeline.metadata.namespace &&
      spec.broker.vhost === broker.vhost &&
      (spec.broker.exchange === broker.exchange || spec.broker.deadLetterExchange === broker.deadLetterExchange)
    )
  })
  const broker = await context.broker(pipeline.metadata.namespace ?? '', pipeline.spec)
  await removeFormerQueues(broker, formerRetryQueues(names), names.queue, true)
  await deleteTopology(broker, {
    queues: [
      names.queue,
      ...names.retryQueues,
      ...(shared ? [] : [names.deadLetterQueue, names.parkedQueue, names.unrouted]),
    ],
    exchanges: shared ? [] : [names.exchange, names.deadLetterExchange, names.unrouted],
  })
}

const keysAreShared = ({ caches }: FinalizeContext, { metadata, spec }: Pipeline): boolean =>
  caches
    .pipelines()
    .some(
      (other) =>
        other.metadata.uid !== metadata.uid &&
        other.metadata.namespace === metadata.namespace &&
        keysSecretName(other.metadata.name, other.spec) === keysSecretName(metadata.name, spec),
    )

/**
 * Asks the API server, for a cache may show the past: queues and keys of these names may by now be those of a pipeline
 * that was made anew, and nothing brings them back.
 */
const isGone = async ({ client }: FinalizeContext, { metadata }: Pipeline): Promise<boolean> => {
  try {
    const path = objectPath(PIPELINES, metadata.namespace ?? '', metadata.name)
    const live = await client.request<KubeObject>({ method: 'GET', path })
    return live.metadata.uid !== metadata.uid
  } catch (error) {
    if (isNotFound(error)) return true
    throw error
  }
}

/** Ends a pipeline: queues and keys by its deletion policy, then our finalizer; its children go by their owner. */
export const finalize = async (context: FinalizeContext, pipeline: Pipeline): Promise<Done> => {
  const { name, namespace = '', deletionTimestamp = '' } = pipeline.metadata
  if (!hasFinalizer(pipeline, FINALIZER)) return undefined
  const owns = queueHolder(pipeline, context.caches.onQueueOf(pipeline)) === undefined
  const removes = pipeline.spec.deletionPolicy === 'Delete'
  if (removes && (await isGone(context, pipeline))) return undefined
  if (removes && owns) {
    try {
      await removeTopology(context, pipeline)
    } catch (error) {
      if (context.now() - Date.parse(deletionTimestamp) < GIVE_UP_MS) return { afterMs: RETRY_MS }
      context.pipelineMetrics.abandoned()
      context.record(pipeline, {
        type: 'Warning',
        reason: 'TopologyLeft',
        action: 'Delete',
        note: `the queues stay on the broker: ${(error as Error).message}`,
      })
    }
  }
  if (removes && !keysAreShared(context, pipeline)) await context.secrets.removeKeys(pipeline)
  await context.client.request({
    method: 'PATCH',
    path: objectPath(PIPELINES, namespace, name),
    body: withoutFinalizer(pipeline, FINALIZER),
    contentType: 'application/merge-patch+json',
  })
  context.forget(pipeline)
  return undefined
}
