import { within } from './deadline.ts'
import type { Logger } from './log.ts'

/** One thing to end: what it is, and how. */
export type Ending = [what: string, end: () => Promise<unknown> | unknown]

/**
 * Ends things in order. One that fails or takes too long is told and does not stop the rest.
 * @param limitMs for each
 */
export const shutDown = async (log: Logger, endings: Ending[], limitMs: number): Promise<void> => {
  for (const [what, end] of endings) {
    await within(limitMs, what, Promise.resolve().then(end)).catch((error: Error) =>
      log.warn({ err: error }, `could not ${what}`),
    )
    log.debug(`${what}: done`)
  }
}

/** Resolves with the first SIGTERM or SIGINT. */
export const untilSignalled = (): Promise<NodeJS.Signals> =>
  new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(signal))
  })
