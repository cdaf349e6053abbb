import { setTimeout as delay } from 'node:timers/promises'

/**
 * Waits until a condition holds, asking every 50 ms.
 * @param probe the wanted value, or undefined while it is not there; what it throws counts as "not yet"
 * @returns the value, or undefined when the time is over: whether that is a failure is for the caller to say
 */
export const within = async <T>(limitMs: number, probe: () => Promise<T | undefined>): Promise<T | undefined> => {
  const deadline = performance.now() + limitMs
  while (performance.now() < deadline) {
    const value = await probe().catch(() => undefined)
    if (value !== undefined) return value
    await delay(50)
  }
  return undefined
}

/**
 * The same, where a failure means that the test cannot go on.
 * @throws Error that names what did not happen
 */
export const must = async <T>(what: string, limitMs: number, probe: () => Promise<T | undefined>): Promise<T> => {
  const value = await within(limitMs, probe)
  if (value === undefined) throw new Error(`waited ${limitMs} ms in vain for ${what}`)
  return value
}
