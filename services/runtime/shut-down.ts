import type { Logger } from './log.ts'

/** One thing to end: what it is, and how. */
export type Ending = [what: string, end: () => Promise<unknown> | unknown]

/**
 * Ends things in order. One that fails or takes too long is told and does not stop the rest.
 * @param limitMs for each
 */
export const shutDown = async (log: Logger, endings: Ending[], limitMs: number): Promise<void> => {
  for (const [what, end] of endings) {
    let timer: NodeJS.Timeout | undefined
    const limit = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`took more than ${limitMs} ms`)), limitMs)
    })
    await Promise.race([Promise.resolve().then(end), limit]).catch((error: Error) =>
      log.warn({ err: error }, `could not ${what}`),
    )
    clearTimeout(timer)
    log.debug(`${what}: done`)
  }
}

/** Resolves with the first SIGTERM or SIGINT. */
export const untilSignalled = (): Promise<NodeJS.Signals> =>
  new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(signal))
  })
