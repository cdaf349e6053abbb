import { AsyncLocalStorage } from 'node:async_hooks'

/**
 * Go hands a context down through every call; here it is ambient. Whatever is asked of the API server on behalf of
 * `work` is given up when `signal` aborts, however deep it is called.
 */
const ambient = new AsyncLocalStorage<AbortSignal | undefined>()

export const withDeadline = <T>(signal: AbortSignal, work: () => T): T => ambient.run(signal, work)

/** Runs what outlives the work that started it, such as a sender of events. */
export const withoutDeadline = <T>(work: () => T): T => ambient.run(undefined, work)

export const currentDeadline = (): AbortSignal | undefined => ambient.getStore()
