import type { Logger } from '#runtime/log.ts'

export type OutageContext = {
  alive: () => Promise<boolean>
  pause: () => Promise<void>
  resume: () => Promise<void>
  wait: () => Promise<void>
  log: Logger
}

/**
 * Waits out a store that is away or takes no writes: no message is taken meanwhile, and no attempt is spent. Batches in flight share one
 * outage, so that consumption is paused and resumed once.
 */
export const createOutage = ({ alive, pause, resume, wait, log }: OutageContext) => {
  let current: Promise<void> | undefined
  const over = async (error: Error): Promise<void> => {
    log.error({ err: error }, 'the store is away, or takes no writes: no message is taken until it does')
    await pause()
    while (!(await alive())) await wait()
    log.info('the store takes writes again')
    await resume()
  }
  return {
    wait: (error: Error): Promise<void> => {
      current ??= over(error).finally(() => {
        current = undefined
      })
      return current
    },
    problem: (): string | undefined =>
      current === undefined ? undefined : 'the store does not answer, or takes no writes',
  }
}
