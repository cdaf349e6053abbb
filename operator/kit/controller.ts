import { withDeadline } from './deadline.ts'
import { TerminalError } from './errors.ts'
import { createWorkQueue, type Done, LIVE, type QueueMetrics, type QueueState } from './work-queue.ts'

export type Controller = {
  /** Queues a key; before the start too, so that a replica that waits for the lease is ready at once. */
  enqueue: (key: string, priority?: number) => void
  /** Waits for the caches, then works. @throws Error when they are not filled in time */
  start: () => Promise<void>
  /** Gives up what is under way, at once: another may lead now. */
  abandon: (reason: Error) => void
  /** Takes nothing more and waits for what is under way, 15 s at most; what is not done then is given up. @returns its keys */
  stop: () => Promise<string[]>
  state: () => QueueState
}

export type ReconcileResult = 'success' | 'requeue_after' | 'error'

export type ReconcileMetrics = {
  began: () => void
  ended: (result: ReconcileResult, seconds: number) => void
  terminal: () => void
  panicked: () => void
  timedOut: () => void
}

export type ControllerOptions = {
  /** Keys worked on at once; one key never is. */
  workers: number
  /** Brings one key to what it should be. What it throws is tried again with back-off, unless it is a TerminalError. */
  reconcile: (key: string) => Promise<Done>
  /** True when the caches are filled; deciding on half of them would delete the other half. */
  synced: () => boolean
  /** True while the cache does not show what this process itself wrote of a key: deciding now would do it twice. */
  stale: (key: string) => boolean
  failed: (key: string, error: Error) => void
  metrics: ReconcileMetrics
  queueMetrics: QueueMetrics
}

/** controller-runtime's CacheSyncTimeout. */
const SYNC_LIMIT_MS = 120_000
const SYNC_LOOK_MS = 50
/** Longer than all of a reconcile's requests may take when each comes to its own limit but few do. */
const RECONCILE_LIMIT_MS = 120_000
/** A watch tells of our own write some milliseconds later. */
const STALE_LOOK_MS = 50

/** An error of the program itself, which Go would panic with. What `fetch` throws is a TypeError too, with a cause. */
const isBug = (error: unknown): boolean =>
  (error instanceof TypeError && error.cause === undefined) ||
  error instanceof ReferenceError ||
  error instanceof RangeError

/** From keys to reconciles, as controller-runtime's controller: warm before it leads, deadlines, recovery, metrics. */
export const createController = (options: ControllerOptions): Controller => {
  const { metrics } = options
  const abandoned = new AbortController()

  const reconcile = async (key: string): Promise<Done> => {
    abandoned.signal.throwIfAborted()
    if (options.stale(key)) return { afterMs: STALE_LOOK_MS }
    const startedAt = performance.now()
    const limit = new AbortController()
    const timer = setTimeout(() => {
      metrics.timedOut()
      limit.abort(new Error(`a reconcile is not done after ${RECONCILE_LIMIT_MS / 1000} s`))
    }, RECONCILE_LIMIT_MS)
    let result: ReconcileResult = 'error'
    metrics.began()
    try {
      const signal = AbortSignal.any([limit.signal, abandoned.signal])
      const done = await withDeadline(signal, () => options.reconcile(key))
      result = done?.afterMs === undefined ? 'success' : 'requeue_after'
      return done
    } catch (error) {
      if (error instanceof TerminalError) metrics.terminal()
      if (isBug(error)) metrics.panicked()
      throw error
    } finally {
      clearTimeout(timer)
      metrics.ended(result, (performance.now() - startedAt) / 1000)
    }
  }

  const queue = createWorkQueue(options.workers, reconcile, options.failed, options.queueMetrics)
  return {
    enqueue: (key, priority = LIVE) => queue.add(key, priority),
    start: async () => {
      const startedAt = performance.now()
      while (!options.synced()) {
        if (performance.now() - startedAt > SYNC_LIMIT_MS)
          throw new Error(`the caches are not filled after ${SYNC_LIMIT_MS / 1000} s`)
        await new Promise((resolve) => setTimeout(resolve, SYNC_LOOK_MS))
        abandoned.signal.throwIfAborted()
      }
      queue.start()
    },
    abandon: (reason) => abandoned.abort(reason),
    stop: async () => {
      const left = await queue.close()
      abandoned.abort(new Error('the process ends'))
      return left
    },
    state: queue.state,
  }
}
