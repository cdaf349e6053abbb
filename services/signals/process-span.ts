import { isCount } from '#contract/header-values.ts'
import type { Delivery } from '#runtime/consumer.ts'
import type { Exemplar } from '#runtime/metrics.ts'
import { type Attributes, markFailed, type Span, sampledFields, type Tracing } from '#runtime/tracing.ts'
import type { Outcome } from './batch-watch.ts'
import type { Failure } from './inspection.ts'
import type { Lap, Stage } from './stages.ts'

/** What is known of a message at its end. Times are ms since the epoch. */
export type Processed = {
  delivery: Delivery
  outcome: Outcome
  failure: Failure | undefined
  startMs: number
  endMs: number
  /** The stages of its batch, which it shares with the batch's other messages. */
  laps: ReadonlyMap<Stage, Lap>
  batchSize: number
}

/** `exchange:routing key:queue` without parts that are empty or repeat the one before (semantic conventions 1.44). */
export const destinationOf = (exchange: string, routingKey: string, queue: string): string =>
  [exchange, routingKey, queue].filter((part, at, parts) => part !== '' && part !== parts[at - 1]).join(':')

const STORES: Partial<Record<Stage, { name: string; collection: string }>> = {
  store_raw: { name: 'insert raw_payloads', collection: 'raw_payloads' },
  store_signal: { name: 'insert signals', collection: 'signals' },
}

export const headersOf = ({ message }: Delivery): Record<string, unknown> => message.properties.headers ?? {}

const attributesOf = ({ delivery, outcome, batchSize }: Processed, queue: string): Attributes => {
  const { fields, properties, content } = delivery.message
  const { 'x-device-id': deviceId, 'x-attempt': attempt } = headersOf(delivery)
  return {
    'messaging.system': 'rabbitmq',
    'messaging.operation.name': 'process',
    'messaging.operation.type': 'process',
    'messaging.destination.name': destinationOf(fields.exchange, fields.routingKey, queue),
    'messaging.rabbitmq.destination.routing_key': fields.routingKey,
    'messaging.rabbitmq.message.delivery_tag': fields.deliveryTag,
    'messaging.message.id': String(properties.messageId ?? ''),
    'messaging.message.body.size': content.length,
    'xray.device.id': typeof deviceId === 'string' ? deviceId : '',
    'xray.attempt': isCount(attempt) ? attempt : 0,
    'xray.batch.size': batchSize,
    'xray.outcome': outcome,
  }
}

/**
 * Writes the trace of a message when it is at its end and all times are known: a CONSUMER span under the span that
 * published it, with an event for each step before the store and a CLIENT span for each write. So that a message that
 * is not sampled costs one decision, nothing is made for it.
 * @returns writes one; gives the names of the span when it is exported
 */
export const createProcessSpans = (tracing: Tracing, queue: string, database: string) => {
  const store = (parent: Span, { name, collection }: { name: string; collection: string }, lap: Lap, size: number) => {
    const span = tracing.start(name, 'client', parent, lap.startMs)
    span.setAttributes({
      'db.system.name': 'mongodb',
      'db.namespace': database,
      'db.collection.name': collection,
      'db.operation.name': 'insert',
      ...(size > 1 && { 'db.operation.batch.size': size }),
    })
    span.end(lap.endMs)
  }
  return (processed: Processed): Exemplar => {
    const { delivery, outcome, failure, startMs, endMs, laps, batchSize } = processed
    const { exchange, routingKey } = delivery.message.fields
    const { traceparent } = headersOf(delivery)
    const span = tracing.start(
      `process ${destinationOf(exchange, routingKey, queue)}`,
      'consumer',
      typeof traceparent === 'string' ? traceparent : undefined,
      startMs,
    )
    if (!span.isRecording()) return undefined
    span.setAttributes(attributesOf(processed, queue))
    for (const [stage, lap] of laps) {
      const write = STORES[stage]
      if (write === undefined) span.addEvent(stage, lap.endMs)
      else if (outcome === 'stored') store(span, write, lap, batchSize)
    }
    if (failure !== undefined) {
      span.addEvent(outcome, { 'xray.reason': failure.reason, 'xray.detail': failure.detail.slice(0, 256) }, endMs)
      markFailed(span, failure.reason)
    }
    span.end(endMs)
    return sampledFields(span)
  }
}

export type ProcessSpans = ReturnType<typeof createProcessSpans>
