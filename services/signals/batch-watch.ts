import { isCount } from '#contract/header-values.ts'
import { readTraceparent } from '#contract/traceparent.ts'
import type { Delivery } from '#runtime/consumer.ts'
import type { Logger } from '#runtime/log.ts'
import type { Entry } from '#runtime/signal-store.ts'
import type { Ended } from './handling.ts'
import type { Failure } from './inspection.ts'
import type { SignalsMetrics } from './metrics.ts'
import { headersOf, type ProcessSpans } from './process-span.ts'
import { createLaps, type Lap, type Laps, type Stage } from './stages.ts'

/** How a message left this process; `returned` when it could be neither stored nor moved, and the broker has it again. */
export type Outcome = Ended | 'returned'

/** Watches one batch on its way. */
export type BatchWatch = Pick<Laps, 'lap' | 'skip'> & {
  stored: (entry: Entry) => void
  /** @param failure why it was not stored */
  ended: (delivery: Delivery, outcome: Outcome, failure?: Failure) => void
  /** The batch is at its end. */
  close: () => void
}

type Watching = {
  metrics: SignalsMetrics
  /** Where traces are on. */
  spans: ProcessSpans | undefined
  log: Logger
  /** ms since the epoch. */
  now: () => number
  /** ms of a clock that is finer and does not go back. */
  tick: () => number
}

/** The line of a message that others can find again: in traces by its trace, in the API by its id. */
const tell = (log: Logger, delivery: Delivery, failure: Failure, outcome: Outcome): void => {
  const headers = headersOf(delivery)
  const traceId = readTraceparent(headers.traceparent)?.traceId
  const line = {
    message_id: delivery.message.properties.messageId,
    device_id: headers['x-device-id'],
    reason: failure.reason,
    detail: failure.detail,
    ...(traceId !== undefined && { trace_id: traceId }),
  }
  if (outcome === 'dead_lettered') log.error(line, 'a message is dead')
  else log.debug(line, `a message is ${outcome}`)
}

/**
 * What happens to batches, as metrics, as spans and in the log. Stages are observed once for a batch, and spans are
 * written at a message's end: on the way there a batch costs two readings of a clock for each message.
 */
export const createBatchWatches = ({ metrics, spans, log, now, tick }: Watching) => {
  const begin = (deliveries: Delivery[]): BatchWatch => {
    const [startMs, startTick] = [now(), tick()]
    const epochMs = (at: number): number => startMs + at - startTick
    const { lap, skip, laps } = createLaps(tick)
    let epochLaps: ReadonlyMap<Stage, Lap> | undefined
    const toEpoch = (): ReadonlyMap<Stage, Lap> => {
      epochLaps ??= new Map(
        [...laps].map(([stage, { startMs: from, endMs: to, tookMs }]) => [
          stage,
          { startMs: epochMs(from), endMs: epochMs(to), tookMs },
        ]),
      )
      return epochLaps
    }
    for (const delivery of deliveries) {
      const { 'x-attempt': attempt, 'x-received-at': receivedAt } = headersOf(delivery)
      // A retry waited on purpose.
      if (attempt === 0 && isCount(receivedAt)) metrics.waited((startMs - receivedAt) / 1000)
    }
    return {
      lap,
      skip,
      stored: ({ summary, body }) => metrics.recorded(summary.dataPoints, body.length),
      ended: (delivery, outcome, failure) => {
        const exemplar = spans?.({
          delivery,
          outcome,
          failure,
          startMs,
          endMs: epochMs(tick()),
          laps: toEpoch(),
          batchSize: deliveries.length,
        })
        if (failure !== undefined) {
          metrics.failed(failure)
          tell(log, delivery, failure, outcome)
        }
        if (outcome === 'returned') return
        const { 'x-received-at': receivedAt } = headersOf(delivery)
        const seconds = isCount(receivedAt) ? (now() - receivedAt) / 1000 : undefined
        metrics.ended(outcome, failure?.reason ?? '', seconds, exemplar)
      },
      close: () => {
        for (const [stage, { tookMs }] of laps) metrics.staged(stage, tookMs / 1000)
      },
    }
  }
  return begin
}
