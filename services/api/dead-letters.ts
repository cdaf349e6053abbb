import { Gauge } from 'prom-client'
import { DEAD_LETTER_REASONS } from '#contract/dead-letter.ts'
import type { TopologyNames } from '#contract/topology.ts'
import {
  closeDeadLetter,
  countByReason,
  deadLettersOf,
  ensureDeadLetterIndexes,
  type ReasonCount,
} from '#runtime/dead-letter-store.ts'
import type { Logger } from '#runtime/log.ts'
import { counter, type Metrics } from '#runtime/metrics.ts'
import { ensureOperationIndexes, operationsOf } from '#runtime/operation-store.ts'
import type { Publisher } from '#runtime/publisher.ts'
import type { Ending } from '#runtime/shut-down.ts'
import type { Store } from '#runtime/signal-store.ts'
import type { DeadLettersContext } from './dead-letters-routes.ts'
import { createOpenLetters } from './open-letters.ts'
import { type Acted, type OperationsContext, runOperations } from './operations.ts'
import { REPLAYS, type Replay, replay } from './replaying.ts'

type Options = Pick<OperationsContext, 'now' | 'every' | 'delay'> & {
  store: Store
  publisher: Publisher
  names: TopologyNames
  newId: () => string
  registry: Metrics
  log: Logger
}

const GAUGE_MS = 15_000
const COUNT_AGE_MS = 3_000

/** A replay within an operation: a broker that is away is no fault of the letter, every other refusal is counted. */
const actedOf = (outcome: Replay): Acted => {
  if (outcome === 'replayed') return 'done'
  if (outcome === 'not_open') return 'skipped'
  return outcome === 'unavailable' ? 'wait' : { failed: outcome }
}

const measureOpen = (registry: Metrics, counts: () => Promise<ReasonCount[]>, log: Logger) => {
  const gauge = new Gauge({
    name: 'xray_dlq_open_messages',
    help: 'Dead letters in the store that nobody has replayed or discarded',
    labelNames: ['reason'],
    registers: [registry],
  })
  return () =>
    void counts().then(
      (rows) => {
        for (const reason of DEAD_LETTER_REASONS)
          gauge.set({ reason }, rows.find((row) => row.reason === reason)?.count ?? 0)
      },
      (error: Error) => log.warn({ err: error }, 'open dead letters cannot be counted'),
    )
}

/** Starts what the API does with dead letters: counts them, and executes operations on them. */
export const startDeadLetters = (
  options: Options,
): { context: DeadLettersContext; openLetters: () => Promise<number | undefined>; endings: Ending[] } => {
  const { store, publisher, names, now, newId, every, delay, registry, log } = options
  const [letters, operations] = [deadLettersOf(store.db), operationsOf(store.db)]
  const replays = counter(registry, 'xray_dlq_replays_total', 'Replays by what became of them', 'result', REPLAYS)
  const replayOne = async (id: Parameters<typeof replay>[1], operationId?: string): Promise<Replay> => {
    const result = await replay({ letters, publisher, names, now }, id, operationId)
    replays.inc({ result })
    return result
  }
  const runner = runOperations({
    letters,
    operations,
    prepare: () => Promise.all([ensureDeadLetterIndexes(letters), ensureOperationIndexes(operations)]),
    act: async ({ kind, _id, note }, id) => {
      if (kind === 'replay') return actedOf(await replayOne(id, _id))
      const as = {
        state: 'discarded',
        at: new Date(now()),
        operationId: _id,
        ...(note !== undefined && { note }),
      } as const
      return (await closeDeadLetter(letters, id, as)) ? 'done' : 'skipped'
    },
    owner: newId(),
    now,
    delay,
    every,
    log,
  })
  const open = createOpenLetters(
    () => countByReason(letters, { reasons: [], deviceIds: [] }, 'open'),
    now,
    COUNT_AGE_MS,
  )
  const measure = measureOpen(registry, open.counts, log)
  measure()
  const stopMeasuring = every(GAUGE_MS, measure)
  return {
    context: { letters, operations, replay: (id) => replayOne(id), wake: runner.wake, now, newId },
    openLetters: open.total,
    endings: [
      ['hand over operations', runner.close],
      ['stop counting dead letters', stopMeasuring],
    ],
  }
}
