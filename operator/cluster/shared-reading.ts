import type { Broker } from './broker.ts'
import { createRecent } from './recent.ts'

/** What is read of a broker's virtual host; no older than asked for. */
export type SharedReading<T> = (broker: Broker, maxAgeMs: number) => Promise<T>

/**
 * Reads each virtual host once for all pipelines that use it: whoever asks within the age gets the same answer, the very
 * same object, and two who ask at once share one request. A reading that failed is nobody's, and one that nobody has
 * asked for in ten minutes is forgotten.
 * @param read all of a virtual host, not a pipeline's part: a thousand of them may share one
 */
export const createSharedReading = <T>(
  read: (broker: Broker, nowMs: number) => Promise<T>,
  clock: () => number = Date.now,
): SharedReading<T> => {
  const known = createRecent<{ atMs: number; reading: Promise<T> }>(clock)
  return (broker, maxAgeMs) => {
    const key = [broker.managementUri, broker.username, broker.vhost].join('\n')
    const last = known.get(key)
    const nowMs = clock()
    if (last !== undefined && nowMs - last.atMs < maxAgeMs) return last.reading
    const reading = read(broker, nowMs)
    const entry = { atMs: nowMs, reading }
    known.set(key, entry)
    reading.catch(() => {
      if (known.get(key) === entry) known.delete(key)
    })
    return reading
  }
}
