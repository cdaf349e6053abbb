import { Gauge } from 'prom-client'
import { createKitMetrics, type KitMetrics } from '#kit/metrics.ts'
import { createRegistry, type Metrics } from '#runtime/metrics.ts'
import type { Pipeline } from './decide/pipeline.ts'

/**
 * Pipelines reconciled at once. A reconcile mostly waits for the API server or a broker, so this bounds what is under way
 * there; the client of the API server has as many places again.
 */
export const WORKERS = 32

export type OperatorMetrics = {
  registry: Metrics
  /** Those of the controller, under controller-runtime's own names. */
  kit: KitMetrics
  measured: (pipeline: Pipeline, queue: string, ready: number, unacked: number) => void
  /** A pipeline is gone: the depths of its queues go with it. */
  unmeasured: (pipeline: Pipeline) => void
}

export const createMetrics = ({ LEASE_NAME: leaseName }: { LEASE_NAME: string }): OperatorMetrics => {
  const registry = createRegistry('operator', { SERVICE_VERSION: 'dev' })
  const depth = new Gauge({
    name: 'xray_queue_messages',
    help: 'Messages in a queue',
    labelNames: ['pipeline', 'pipeline_namespace', 'queue', 'state'],
    registers: [registry],
  })
  const labelsOf = ({ metadata }: Pipeline) => ({
    pipeline: metadata.name,
    pipeline_namespace: metadata.namespace ?? '',
  })
  const keyOf = (pipeline: Pipeline) => Object.values(labelsOf(pipeline)).join('\n')
  /** By pipeline, the queues of which a depth is told. */
  const known = new Map<string, Set<string>>()
  return {
    registry,
    kit: createKitMetrics(registry, { controller: 'xraypipeline', leaseName, workers: WORKERS }),
    measured: (pipeline, queue, ready, unacked) => {
      const queues = known.get(keyOf(pipeline)) ?? new Set()
      known.set(keyOf(pipeline), queues.add(queue))
      const labels = { ...labelsOf(pipeline), queue }
      depth.set({ ...labels, state: 'ready' }, ready)
      depth.set({ ...labels, state: 'unacknowledged' }, unacked)
    },
    unmeasured: (pipeline) => {
      for (const queue of known.get(keyOf(pipeline)) ?? [])
        for (const state of ['ready', 'unacknowledged']) depth.remove({ ...labelsOf(pipeline), queue, state })
      known.delete(keyOf(pipeline))
    },
  }
}
