import { Counter } from 'prom-client'
import { DEAD_LETTER_REASONS, type DeadLetterReason } from '#contract/dead-letter.ts'
import { createDatabaseMetrics, type Observe } from '#runtime/database-metrics.ts'
import {
  counter,
  createRegistry,
  type Exemplar,
  gauge,
  histogram,
  type Labelled,
  type Metrics,
} from '#runtime/metrics.ts'
import type { Ended } from './handling.ts'
import type { Failure } from './inspection.ts'
import { FAILURE_STAGES, STAGES, type Stage, stageOf } from './stages.ts'

const LATENCY_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2, 5, 10, 30, 60]
const STAGE_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5]
const WAIT_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 300]
const POINTS = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000]
const PAYLOAD_BYTES = [256, 1_024, 4_096, 10_240, 65_536, 262_144, 1_048_576]

export type SignalsMetrics = {
  registry: Metrics
  /**
   * @param seconds since the producer received the message; its clock and ours are taken for the same. Undefined when the
   *   message does not say, as a forged one may not
   */
  ended: (how: Ended, reason: DeadLetterReason | '', seconds: number | undefined, exemplar?: Exemplar) => void
  failed: (failure: Failure) => void
  /** @param seconds from receipt by the producer to the start of the first attempt */
  waited: (seconds: number) => void
  /** @param seconds that a batch spent in a stage */
  staged: (stage: Stage, seconds: number) => void
  recorded: (points: number, bytes: number) => void
  bypassed: () => void
  archived: Counter<'reason'>
  database: Observe
}

/** @param inFlight how many messages were delivered and are not settled */
export const createMetrics = (
  config: Labelled & { PREFETCH: number; AMQP_QUEUE: string },
  inFlight: () => number,
): SignalsMetrics => {
  const registry = createRegistry('signals', config)
  const messages = new Counter({
    name: 'xray_signals_messages_total',
    help: 'Acknowledged messages by what became of them',
    labelNames: ['outcome', 'reason'],
    registers: [registry],
  })
  for (const outcome of ['stored', 'duplicate']) messages.inc({ outcome, reason: '' }, 0)
  for (const reason of DEAD_LETTER_REASONS) messages.inc({ outcome: 'dead_lettered', reason }, 0)
  for (const reason of ['auth_unknown_key', 'storage_failed']) messages.inc({ outcome: 'retried', reason }, 0)
  const failures = new Counter({
    name: 'xray_signals_failures_total',
    help: 'Attempts that failed, by the kind of stage and whether another follows',
    labelNames: ['stage', 'retryable'],
    registers: [registry],
  })
  for (const stage of FAILURE_STAGES) for (const retryable of ['true', 'false']) failures.inc({ stage, retryable }, 0)
  const queue = config.AMQP_QUEUE
  const latency = histogram(
    registry,
    'xray_signals_e2e_latency_seconds',
    'From receipt by the producer to the end',
    ['outcome'],
    LATENCY_SECONDS,
    ['stored', 'duplicate', 'retried', 'dead_lettered'].map((outcome) => ({ outcome })),
  )
  const waits = histogram(
    registry,
    'xray_queue_wait_seconds',
    'From receipt by the producer to the first attempt',
    ['queue'],
    WAIT_SECONDS,
    [{ queue }],
  )
  const stages = histogram(
    registry,
    'xray_signals_stage_duration_seconds',
    'The time that a batch spends in a stage',
    ['stage'],
    STAGE_SECONDS,
    STAGES.map((stage) => ({ stage })),
  )
  const points = histogram(registry, 'xray_message_points', 'Points in a stored recording', [], POINTS, [{}])
  const bytes = histogram(registry, 'xray_payload_bytes', 'Bytes of a stored recording', [], PAYLOAD_BYTES, [{}])
  gauge(registry, 'xray_signals_in_flight', 'Messages delivered and not settled', inFlight)
  gauge(registry, 'xray_signals_prefetch', 'Messages that may be in flight', () => config.PREFETCH)
  const bypass = counter(registry, 'xray_idempotency_bypass_total', 'Times that Redis could not be asked', 'store', [
    'redis',
  ])
  const archived = counter(
    registry,
    'xray_dlq_archived_total',
    'Dead letters moved from their queue into the store',
    'reason',
    DEAD_LETTER_REASONS,
  )
  return {
    registry,
    archived,
    ended: (outcome, reason, seconds, exemplar) => {
      messages.inc({ outcome, reason })
      if (seconds !== undefined) latency.observe({ outcome }, Math.max(0, seconds), exemplar)
    },
    failed: (failure) => failures.inc({ stage: stageOf(failure), retryable: String(failure.kind === 'retry') }),
    waited: (seconds) => waits.observe({ queue }, Math.max(0, seconds)),
    staged: (stage, seconds) => stages.observe({ stage }, seconds),
    recorded: (count, size) => {
      points.observe({}, count)
      bytes.observe({}, size)
    },
    bypassed: () => bypass.inc({ store: 'redis' }),
    database: createDatabaseMetrics(registry, { mongodb: ['insert'], gridfs: ['insert'], redis: ['claim', 'mark'] }),
  }
}
