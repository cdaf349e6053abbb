import type { ObjectId } from 'mongodb'
import { countClosedBy, type DeadLetterPlace, type DeadLetters, nextOpen } from '#runtime/dead-letter-store.ts'
import type { Logger } from '#runtime/log.ts'
import {
  claimOperation,
  endOperation,
  MOST_ERRORS,
  type OperationDocument,
  type Operations,
  type Progress,
  releaseLease,
  renewLease,
  saveProgress,
} from '#runtime/operation-store.ts'
import { createPace } from './pace.ts'

/** What became of one dead letter: `skipped` when somebody else closed it, `wait` when it may be tried again at once. */
export type Acted = 'done' | 'skipped' | 'wait' | { failed: string }

export type OperationsContext = {
  letters: DeadLetters
  operations: Operations
  /** Makes the indexes that operations need; may be called again. */
  prepare: () => Promise<unknown>
  act: (operation: OperationDocument, id: ObjectId) => Promise<Acted>
  /** This process, among those that may execute operations. */
  owner: string
  now: () => number
  delay: (ms: number, signal: AbortSignal) => Promise<void>
  every: (ms: number, run: () => void) => () => void
  log: Logger
}

const AT_ONCE = 4
/** Each has a body of up to 1 MiB in memory. */
const UNDER_WAY = 8
const LARGEST_PAGE = 100
const TICK_MS = 2_000
const RENEW_MS = 5_000
const WAIT_MS = 1_000

/** Acts on every place of a page, each in its turn. Returns what was added to the progress. */
const runPage = async (
  context: OperationsContext,
  operation: OperationDocument,
  places: DeadLetterPlace[],
  pace: () => Promise<void>,
  signal: AbortSignal,
): Promise<{ done: number; errors: { id: string; error: string }[] }> => {
  const result = { done: 0, errors: [] as { id: string; error: string }[] }
  const queue = places.values()
  const work = async (): Promise<void> => {
    for (const { id } of queue) {
      await pace()
      let acted: Acted = 'wait'
      while (acted === 'wait' && !signal.aborted) {
        acted = await context.act(operation, id)
        if (acted === 'wait') await context.delay(WAIT_MS, signal)
      }
      if (acted === 'done') result.done++
      if (typeof acted === 'object') result.errors.push({ id: id.toHexString(), error: acted.failed })
      if (signal.aborted) return
    }
  }
  await Promise.all(Array.from({ length: UNDER_WAY }, work))
  return result
}

/**
 * Executes an operation from its checkpoint to its end, oldest first. A page is about a second's work; its end is the
 * next checkpoint. What was done before a crash is counted anew from the dead letters themselves.
 *
 * It meets only what was there when it was asked for: a replay that fails again comes back as a new dead letter, and
 * must not be replayed without end.
 */
const execute = async (
  context: OperationsContext,
  operation: OperationDocument,
  signal: AbortSignal,
): Promise<void> => {
  const { letters, operations, owner, now } = context
  const { _id, kind, total, ratePerSecond, startedAt } = operation
  const filter = { ...operation.filter, toMs: Math.min(operation.filter.toMs ?? Infinity, startedAt.getTime() + 1) }
  const pace = createPace(ratePerSecond, now, (ms) => context.delay(ms, signal))
  const page = Math.min(LARGEST_PAGE, Math.ceil(ratePerSecond))
  let progress: Progress = {
    done: await countClosedBy(letters, _id),
    failed: operation.failed,
    errors: operation.errors,
    ...(operation.checkpoint !== undefined && { checkpoint: operation.checkpoint }),
  }
  for (;;) {
    const left = total - progress.done - progress.failed
    const places = left <= 0 ? [] : await nextOpen(letters, filter, Math.min(left, page), progress.checkpoint)
    const last = places.at(-1)
    if (last === undefined) break
    const { done, errors } = await runPage(context, operation, places, pace, signal)
    // Part of a page has no checkpoint: whoever goes on finds those that are still open.
    if (signal.aborted) return
    progress = {
      done: progress.done + done,
      failed: progress.failed + errors.length,
      errors: [...progress.errors, ...errors].slice(0, MOST_ERRORS),
      checkpoint: last,
    }
    if (!(await saveProgress(operations, _id, owner, progress))) return
  }
  if (!(await saveProgress(operations, _id, owner, progress))) return
  const state = progress.done === 0 && progress.failed > 0 ? 'failed' : 'done'
  await endOperation(operations, _id, state, new Date(now()), owner)
  context.log.info({ operation: _id, kind, done: progress.done, failed: progress.failed }, 'an operation ended')
}

/**
 * Executes operations whose lease this process can get: those that are asked for, and those that another process left
 * when it ended or crashed.
 */
export const runOperations = (context: OperationsContext): { wake: () => void; close: () => Promise<void> } => {
  const { operations, owner, now, every, log } = context
  const closing = new AbortController()
  const running = new Set<Promise<void>>()
  let prepared = false
  let looking = false

  const hold = async (operation: OperationDocument): Promise<void> => {
    const lost = new AbortController()
    const signal = AbortSignal.any([closing.signal, lost.signal])
    const renew = () =>
      renewLease(operations, operation._id, owner, now()).then(
        (held) => held || lost.abort(),
        (error: Error) => log.warn({ err: error }, "an operation's lease could not be renewed"),
      )
    const stopRenewing = every(RENEW_MS, () => void renew())
    try {
      await execute(context, operation, signal)
    } catch (error) {
      // The lease runs out, and whoever reaches the store then goes on.
      log.warn({ err: error, operation: operation._id }, 'an operation was interrupted and will be taken up again')
    } finally {
      stopRenewing()
      if (closing.signal.aborted) await releaseLease(operations, operation._id, owner).catch(() => undefined)
    }
  }

  const look = async (): Promise<void> => {
    if (!prepared) await context.prepare()
    prepared = true
    while (running.size < AT_ONCE && !closing.signal.aborted) {
      const operation = await claimOperation(operations, owner, now())
      if (operation === undefined) return
      const held = hold(operation)
      running.add(held)
      void held.finally(() => running.delete(held))
    }
  }

  const wake = (): void => {
    if (looking || closing.signal.aborted) return
    looking = true
    void look()
      .catch((error: Error) => log.warn({ err: error }, 'operations cannot be looked for'))
      .finally(() => {
        looking = false
      })
  }

  const stopTicking = every(TICK_MS, wake)
  wake()
  return {
    wake,
    close: async () => {
      stopTicking()
      closing.abort()
      await Promise.all(running)
    },
  }
}
