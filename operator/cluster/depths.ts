import { type BrokerAccess, lookAtQueues, type QueueLook } from './broker.ts'

export type Depths = { look: (access: BrokerAccess, maxAgeMs: number) => Promise<QueueLook[]> }

/**
 * Looks at each broker once for all pipelines that use it: whoever asks within the interval gets the same answer, and
 * two who ask at once share one request.
 */
export const createDepths = (): Depths => {
  const known = new Map<string, { atMs: number; looks: Promise<QueueLook[]> }>()
  return {
    look: (access, maxAgeMs) => {
      const key = [access.managementUri, access.username, access.vhost].join('\n')
      const last = known.get(key)
      const nowMs = Date.now()
      if (last !== undefined && nowMs - last.atMs < maxAgeMs) return last.looks
      const looks = lookAtQueues(access, nowMs)
      known.set(key, { atMs: nowMs, looks })
      looks.catch(() => known.delete(key))
      return looks
    },
  }
}
