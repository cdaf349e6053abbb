import { AsyncLocalStorage } from 'node:async_hooks'

/**
 * Go hands a context down through every call; here it is ambient. Whatever is asked of the API server on behalf of
 * `work` is given up when `signal` aborts, however deep it is called. What is nested has the inner deadline only.
 */
const ambient = new AsyncLocalStorage<AbortSignal>()

export const withDeadline = <T>(signal: AbortSignal, work: () => T): T => ambient.run(signal, work)

export const currentDeadline = (): AbortSignal | undefined => ambient.getStore()
