import { type Broker, lookAtQueues, type QueueLook } from './broker.ts'

/** The queues of a virtual host whose depth is known, by name. */
export type Looks = ReadonlyMap<string, QueueLook>

export type Depths = { look: (broker: Broker, maxAgeMs: number) => Promise<Looks> }

/**
 * Looks at each broker once for all pipelines that use it: whoever asks within the interval gets the same answer, and
 * two who ask at once share one request.
 */
export const createDepths = (): Depths => {
  const known = new Map<string, { atMs: number; looks: Promise<Looks> }>()
  return {
    look: (broker, maxAgeMs) => {
      const key = [broker.managementUri, broker.username, broker.vhost].join('\n')
      const last = known.get(key)
      const nowMs = Date.now()
      if (last !== undefined && nowMs - last.atMs < maxAgeMs) return last.looks
      // By name once, and not by each pipeline: a thousand of them may share a virtual host.
      const looks = lookAtQueues(broker, nowMs).then((all) => new Map(all.map((look) => [look.name, look])))
      known.set(key, { atMs: nowMs, looks })
      looks.catch(() => known.delete(key))
      return looks
    },
  }
}
