import type { Options } from 'amqplib'
import { deadLetterAddress, deadLetterHeaders, withoutBrokerHeaders } from '#contract/dead-letter.ts'
import { isCount } from '#contract/header-values.ts'
import { decideRetry, type RetryPolicy } from '#contract/retry.ts'
import type { TopologyNames } from '#contract/topology.ts'
import { type Delivery, settle } from '#runtime/consumer.ts'
import type { Idempotency } from '#runtime/idempotency.ts'
import type { Publication, Publisher } from '#runtime/publisher.ts'
import type { Entry, Stored, StoreLap } from '#runtime/signal-store.ts'
import type { BatchWatch } from './batch-watch.ts'
import { type Failure, inspect } from './inspection.ts'
import { type StoringContext, storeAll } from './storing.ts'

export type Ended = 'stored' | 'duplicate' | 'retried' | 'dead_lettered'

export type HandlingContext = Omit<StoringContext, 'store'> & {
  store: (entries: Entry[], lap: StoreLap) => Promise<Stored[]>
  messageKeys: () => Map<string, Buffer>
  idempotency: Idempotency
  publisher: Publisher
  names: TopologyNames
  retry: RetryPolicy
  now: () => number
  random: () => number
  /** Follows a batch to its end. */
  watch: (deliveries: Delivery[]) => BatchWatch
  /** Waits a moment before a message that could be neither stored nor moved is given back. */
  pause: () => Promise<void>
}

type Verdict = { kind: 'stored' } | { kind: 'duplicate' } | Failure

const attemptOf = ({ message }: Delivery): number => {
  const attempt: unknown = message.properties.headers?.['x-attempt']
  return isCount(attempt) ? attempt : 0
}

/** A copy of a message for another queue: the body untouched, the headers without what the broker added. */
const copyOf = (
  { message }: Delivery,
  to: { exchange: string; routingKey: string },
  change: Partial<Options.Publish>,
): Publication => {
  const { messageId, contentType, timestamp, headers = {} } = message.properties
  return {
    ...to,
    body: message.content,
    properties: {
      messageId: String(messageId ?? ''),
      ...(contentType !== undefined && { contentType }),
      ...(isCount(timestamp) && { timestamp }),
      headers: withoutBrokerHeaders(headers),
      ...change,
    },
  }
}

/** Where a message goes that could not be stored. */
const publicationFor = (
  context: HandlingContext,
  delivery: Delivery,
  failure: Failure,
): { as: Ended; publication: Publication } => {
  const headers = delivery.message.properties.headers ?? {}
  const { names } = context
  const decision =
    failure.kind === 'retry'
      ? decideRetry(names.retryQueues, context.retry, attemptOf(delivery), context.random())
      : undefined
  if (decision?.kind === 'retry') {
    const kept = {
      ...withoutBrokerHeaders(headers),
      'x-attempt': decision.attempt,
      'x-first-failed-at': headers['x-first-failed-at'] ?? context.now(),
    }
    const change = { headers: kept, expiration: String(decision.expirationMs) }
    return { as: 'retried', publication: copyOf(delivery, { exchange: '', routingKey: decision.queue }, change) }
  }
  const dead = deadLetterHeaders(headers, { ...failure, failedAtMs: context.now() })
  const to = deadLetterAddress(names, headers, failure.reason)
  return { as: 'dead_lettered', publication: copyOf(delivery, to, { headers: dead }) }
}

/** The dead letter of a message whose own headers leave no room in a frame for ours: it goes without its own. */
const bareDeadLetter = (context: HandlingContext, delivery: Delivery, failure: Failure): Publication =>
  copyOf(delivery, deadLetterAddress(context.names, {}, failure.reason), {
    headers: deadLetterHeaders({}, { ...failure, failedAtMs: context.now() }),
  })

/** The one place where a message is acknowledged: after it is stored, or after its copy is confirmed elsewhere. */
const conclude = async (
  context: HandlingContext,
  watch: BatchWatch,
  delivery: Delivery,
  verdict: Verdict,
): Promise<void> => {
  if (verdict.kind === 'stored' || verdict.kind === 'duplicate') {
    settle(delivery, 'ack')
    watch.ended(delivery, verdict.kind)
    return
  }
  const { as, publication } = publicationFor(context, delivery, verdict)
  let [ended, outcome] = [as, await context.publisher.publish(publication)]
  if (outcome === 'unpublishable') {
    ended = 'dead_lettered'
    outcome = await context.publisher.publish(bareDeadLetter(context, delivery, verdict))
  }
  if (outcome === 'confirmed') {
    settle(delivery, 'ack')
    watch.ended(delivery, ended, verdict)
    return
  }
  await context.pause()
  settle(delivery, 'requeue')
  watch.ended(delivery, 'returned', verdict)
}

/** Handles a batch to its end; every delivery is settled, or its channel is gone and the broker delivers it again. */
export const handleBatch = async (context: HandlingContext, deliveries: Delivery[]): Promise<void> => {
  const watch = context.watch(deliveries)
  const keys = context.messageKeys()
  const verdicts = new Map<Delivery, Verdict>()
  const sound: { delivery: Delivery; entry: Entry }[] = []
  for (const delivery of deliveries) {
    const inspection = inspect(delivery.message.properties, delivery.message.content, keys, watch.lap)
    watch.lap(inspection.kind === 'sound' ? 'transform' : 'verify')
    if (inspection.kind === 'sound') sound.push({ delivery, entry: inspection.entry })
    else verdicts.set(delivery, inspection)
  }
  const named = sound.map(({ entry }) => ({
    deviceId: entry.summary.deviceId,
    messageId: entry.messageId,
    idHex: entry.idHex,
  }))
  const claims = named.length === 0 ? undefined : await context.idempotency.claim(named)
  watch.lap('dedupe')
  const unknown = sound.filter((_, index) => claims?.[index] !== 'stored')
  const store = (entries: Entry[]): Promise<Stored[]> => {
    watch.skip()
    return context.store(entries, watch.lap)
  }
  const stored = await storeAll(
    { ...context, store },
    unknown.map(({ entry }) => entry),
  )
  for (const { delivery } of sound) verdicts.set(delivery, { kind: 'duplicate' })
  for (const [index, { delivery, entry }] of unknown.entries()) {
    const outcome = stored[index] ?? { failed: 'no outcome' }
    if (typeof outcome === 'object')
      verdicts.set(delivery, { kind: 'retry', reason: 'storage_failed', detail: outcome.failed })
    else if (outcome === 'conflict')
      verdicts.set(delivery, {
        kind: 'dead',
        reason: 'idempotency_conflict',
        detail: 'another body is stored under this id',
      })
    else verdicts.set(delivery, { kind: outcome })
    if (outcome === 'stored') watch.stored(entry)
  }
  await Promise.all([...verdicts].map(([delivery, verdict]) => conclude(context, watch, delivery, verdict)))
  const done = new Set(unknown.flatMap(({ entry }, index) => (stored[index] === 'stored' ? [entry.messageId] : [])))
  if (done.size > 0) await context.idempotency.markStored(named.filter(({ messageId }) => done.has(messageId)))
  watch.close()
}
