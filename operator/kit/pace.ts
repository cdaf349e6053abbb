import { setImmediate } from 'node:timers/promises'

const SLICE_MS = 10

/**
 * Lets others have their turn: called between the pieces of long work, it comes back at once until the work has held
 * the event loop for 10 ms. A watch that tells of ten thousand objects would otherwise keep a lease from being renewed.
 */
export const createPace = (): (() => Promise<void> | undefined) => {
  let sinceMs = performance.now()
  return () => {
    if (performance.now() - sinceMs < SLICE_MS) return undefined
    return setImmediate().then(() => {
      sinceMs = performance.now()
    })
  }
}
