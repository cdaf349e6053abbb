import { Counter, Gauge, Histogram } from 'prom-client'
import { createRegistry, type Metrics } from '#runtime/metrics.ts'
import type { Pipeline } from './decide/pipeline.ts'

const RECONCILE_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const CONTROLLER = 'xraypipeline'

export type OperatorMetrics = {
  registry: Metrics
  reconciled: (result: 'success' | 'error', seconds: number) => void
  requested: (method: string, status: number) => void
  measured: (pipeline: Pipeline, queue: string, ready: number, unacked: number) => void
  leading: (is: boolean) => void
}

/** The operator's metrics, under controller-runtime's own names where it has them, so that its dashboards work. */
export const createMetrics = (): OperatorMetrics => {
  const registry = createRegistry('operator', { SERVICE_VERSION: 'dev' })
  const registers = [registry]
  const total = new Counter({
    name: 'controller_runtime_reconcile_total',
    help: 'Reconciles by result',
    labelNames: ['controller', 'result'],
    registers,
  })
  const errors = new Counter({
    name: 'controller_runtime_reconcile_errors_total',
    help: 'Reconciles that failed',
    labelNames: ['controller'],
    registers,
  })
  const seconds = new Histogram({
    name: 'controller_runtime_reconcile_time_seconds',
    help: 'The time of a reconcile',
    labelNames: ['controller'],
    buckets: RECONCILE_SECONDS,
    registers,
  })
  const requests = new Counter({
    name: 'rest_client_requests_total',
    help: 'Requests to the API server',
    labelNames: ['method', 'code'],
    registers,
  })
  const leader = new Gauge({
    name: 'leader_election_master_status',
    help: '1 while this process leads',
    labelNames: ['name'],
    registers,
  })
  const depth = new Gauge({
    name: 'xray_queue_messages',
    help: 'Messages in a queue',
    labelNames: ['pipeline', 'pipeline_namespace', 'queue', 'state'],
    registers,
  })
  errors.inc({ controller: CONTROLLER }, 0)
  leader.set({ name: CONTROLLER }, 0)
  return {
    registry,
    reconciled: (result, took) => {
      total.inc({ controller: CONTROLLER, result })
      if (result === 'error') errors.inc({ controller: CONTROLLER })
      else seconds.observe({ controller: CONTROLLER }, took)
    },
    requested: (method, status) => requests.inc({ method, code: String(status) }),
    measured: ({ metadata }, queue, ready, unacked) => {
      const labels = { pipeline: metadata.name, pipeline_namespace: metadata.namespace ?? '', queue }
      depth.set({ ...labels, state: 'ready' }, ready)
      depth.set({ ...labels, state: 'unacknowledged' }, unacked)
    },
    leading: (is) => leader.set({ name: CONTROLLER }, is ? 1 : 0),
  }
}
