import { Counter, type Registry } from 'prom-client'
import { DEAD_LETTER_REASONS, type DeadLetterReason } from '#contract/dead-letter.ts'
import { counter, createRegistry, histogram } from '#runtime/metrics.ts'
import type { Ended } from './handling.ts'

const LATENCY_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2, 5, 10, 30, 60]
const STORE_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5]

export type SignalsMetrics = {
  registry: Registry
  /** @param seconds since the producer received the message; its clock and ours are taken for the same */
  ended: (how: Ended, reason: DeadLetterReason | '', seconds: number) => void
  batchStored: (seconds: number) => void
  bypassed: () => void
  archived: Counter<'reason'>
}

export const createMetrics = (version: string): SignalsMetrics => {
  const registry = createRegistry('signals', version)
  const messages = new Counter({
    name: 'xray_signals_messages_total',
    help: 'Acknowledged messages by what became of them',
    labelNames: ['outcome', 'reason'],
    registers: [registry],
  })
  for (const outcome of ['stored', 'duplicate']) messages.inc({ outcome, reason: '' }, 0)
  for (const reason of DEAD_LETTER_REASONS) messages.inc({ outcome: 'dead_lettered', reason }, 0)
  const latency = histogram(
    registry,
    'xray_signals_e2e_latency_seconds',
    'From receipt by the producer to the end',
    ['outcome'],
    LATENCY_SECONDS,
  )
  const store = histogram(
    registry,
    'xray_db_operation_duration_seconds',
    'Storing a batch',
    ['operation'],
    STORE_SECONDS,
  )
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
    ended: (outcome, reason, seconds) => {
      messages.inc({ outcome, reason })
      latency.observe({ outcome }, Math.max(0, seconds))
    },
    batchStored: (seconds) => store.observe({ operation: 'store_batch' }, seconds),
    bypassed: () => bypass.inc({ store: 'redis' }),
  }
}
