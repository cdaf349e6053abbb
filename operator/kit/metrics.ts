import { Counter, Gauge, Histogram, type Registry, type RegistryContentType } from 'prom-client'
import type { ApplierMetrics } from './apply.ts'
import type { ClientMetrics } from './client.ts'
import type { ReconcileMetrics } from './controller.ts'
import { LIVE, type QueueMetrics, type QueueState, ROUTINE } from './work-queue.ts'

export type KitMetrics = {
  client: ClientMetrics
  applier: ApplierMetrics
  /** Of the controller of that name. */
  reconcile: ReconcileMetrics
  queue: QueueMetrics
  /** The queue, whose state is read with each scrape. */
  watchQueue: (state: () => QueueState) => void
  leading: (is: boolean) => void
}

/** controller-runtime's buckets, thinned out. */
const RECONCILE_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
/** client-go's buckets of `rest_client_request_duration_seconds`, thinned out. */
const REQUEST_SECONDS = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60]
/** client-go's buckets of its work queues. */
const QUEUE_SECONDS = [1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.1, 1, 10, 100, 1000]

/** What a scrape reads of the keys in work. */
const WORKING: [name: string, help: string, read: (seconds: number[]) => number][] = [
  [
    'workqueue_unfinished_work_seconds',
    'What the keys in work took until now, in all',
    (seconds) => seconds.reduce((sum, took) => sum + took, 0),
  ],
  [
    'workqueue_longest_running_processor_seconds',
    'What the longest key in work took until now',
    (seconds) => Math.max(0, ...seconds),
  ],
]

/** The metrics of client-go and controller-runtime under their own names, so that their dashboards and alerts work. */
export const createKitMetrics = <T extends RegistryContentType>(
  registry: Registry<T>,
  { controller, leaseName, workers }: { controller: string; leaseName: string; workers: number },
): KitMetrics => {
  const registers = [registry as unknown as Registry]
  const counter = <L extends string>(name: string, help: string, ...labelNames: L[]) =>
    new Counter({ name, help, labelNames, registers })
  const gauge = <L extends string>(name: string, help: string, ...labelNames: L[]) =>
    new Gauge({ name, help, labelNames, registers })
  const histogram = <L extends string>(name: string, help: string, buckets: number[], ...labelNames: L[]) =>
    new Histogram({ name, help, buckets, labelNames, registers })

  const requests = counter('rest_client_requests_total', 'Requests to the API server', 'method', 'code')
  const requestSeconds = histogram(
    'rest_client_request_duration_seconds',
    'How long the API server took for one try of a request; of a WATCH, until its headers',
    REQUEST_SECONDS,
    'verb',
  )
  const requestRetries = counter('rest_client_request_retries_total', 'Requests that were sent again', 'verb', 'code')

  const of = { controller }
  const total = counter('controller_runtime_reconcile_total', 'Reconciles by result', 'controller', 'result')
  const errors = counter('controller_runtime_reconcile_errors_total', 'Reconciles that failed', 'controller')
  const terminal = counter(
    'controller_runtime_terminal_reconcile_errors_total',
    'Reconciles that failed so that trying again is no use',
    'controller',
  )
  const panics = counter('controller_runtime_reconcile_panics_total', 'Reconciles that ended in a bug', 'controller')
  const timeouts = counter('controller_runtime_reconcile_timeouts_total', 'Reconciles out of time', 'controller')
  const seconds = histogram(
    'controller_runtime_reconcile_time_seconds',
    'The time of a reconcile',
    RECONCILE_SECONDS,
    'controller',
  )
  const most = gauge('controller_runtime_max_concurrent_reconciles', 'Reconciles at once, at most', 'controller')
  const active = gauge('controller_runtime_active_workers', 'Reconciles under way', 'controller')
  for (const made of [errors, terminal, panics, timeouts]) made.inc(of, 0)
  most.set(of, workers)
  active.set(of, 0)

  const named = { name: controller, controller }
  const added = counter('workqueue_adds_total', 'Keys that were queued', 'name', 'controller')
  const retries = counter('workqueue_retries_total', 'Keys that are tried again', 'name', 'controller')
  const waited = histogram(
    'workqueue_queue_duration_seconds',
    'How long a key waited',
    QUEUE_SECONDS,
    'name',
    'controller',
  )
  const worked = histogram(
    'workqueue_work_duration_seconds',
    'How long a key was worked on',
    QUEUE_SECONDS,
    'name',
    'controller',
  )
  let queueState = (): QueueState => ({ waiting: new Map(), workingSeconds: [] })
  new Gauge({
    name: 'workqueue_depth',
    help: 'Keys that wait',
    labelNames: ['name', 'controller', 'priority'],
    registers,
    collect() {
      for (const [priority, count] of new Map([[LIVE, 0], [ROUTINE, 0], ...queueState().waiting]))
        this.set({ ...named, priority: String(priority) }, count)
    },
  })
  for (const [name, help, read] of WORKING)
    new Gauge({
      name,
      help,
      labelNames: ['name', 'controller'],
      registers,
      collect() {
        this.set(named, read(queueState().workingSeconds))
      },
    })
  added.inc(named, 0)
  retries.inc(named, 0)

  const leader = gauge('leader_election_master_status', '1 while this process leads', 'name')
  leader.set({ name: leaseName }, 0)
  const applied = counter('kit_apply_total', 'Applies: sent, or skipped because they would change nothing', 'result')
  for (const result of ['sent', 'skipped']) applied.inc({ result }, 0)

  return {
    client: {
      answered: (method, code, took) => {
        requests.inc({ method, code })
        requestSeconds.observe({ verb: method }, took)
      },
      retried: (verb, code) => requestRetries.inc({ verb, code }),
    },
    applier: { applied: (result) => applied.inc({ result }) },
    reconcile: {
      began: () => active.inc(of),
      ended: (result, took) => {
        active.dec(of)
        seconds.observe(of, took)
        total.inc({ controller, result })
        if (result === 'error') errors.inc(of)
      },
      terminal: () => terminal.inc(of),
      panicked: () => panics.inc(of),
      timedOut: () => timeouts.inc(of),
    },
    queue: {
      added: () => added.inc(named),
      retried: () => retries.inc(named),
      started: (took) => waited.observe(named, took),
      finished: (took) => worked.observe(named, took),
    },
    watchQueue: (read) => {
      queueState = read
    },
    leading: (is) => leader.set({ name: leaseName }, is ? 1 : 0),
  }
}
