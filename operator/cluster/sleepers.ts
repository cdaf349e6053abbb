import type { Broker } from './broker.ts'

/** What was seen to wait in a sleeping pipeline's queue, and when. */
export type Waking = { atMs: number; ready: number }

/** Pipelines without a signals pod, which should learn soon that there is something to do. */
export type Sleepers = {
  /** A pipeline that has no pod, by its key; looked at until `awake`. */
  asleep: (key: string, broker: Broker, queue: string) => void
  awake: (key: string) => void
  /** What woke a pipeline a moment ago: until the broker's statistics show it, too. */
  wakingOf: (key: string) => Waking | undefined
  close: () => void
}

const LOOK_MS = 1_000
/** After so long the statistics show what woke a pipeline. */
const STATISTICS_MS = 10_000

/**
 * Looks every second, once for all sleepers of a virtual host, at how many messages wait. The statistics that decisions
 * are made of are 5 s old in the mean and 7 s at worst when a poll sees them; a queue's length itself is 1 to 2 s old
 * (measured, RabbitMQ 4.3.6, quorum queues).
 * @param lengthsOf ready messages by the queue's name
 * @param wake called with the key of each pipeline whose queue is not empty
 */
export const createSleepers = (
  lengthsOf: (broker: Broker) => Promise<Map<string, number>>,
  wake: (key: string) => void,
  { nowMs, every }: { nowMs: () => number; every: (ms: number, run: () => void) => () => void },
): Sleepers => {
  const sleepers = new Map<string, { broker: Broker; queue: string }>()
  const wakings = new Map<string, Waking>()
  const busy = new Set<string>()

  const lookAt = async (host: string, broker: Broker, keys: readonly string[]): Promise<void> => {
    busy.add(host)
    // A broker that does not answer is told of by who reads its statistics.
    const lengths = await lengthsOf(broker).catch(() => new Map<string, number>())
    busy.delete(host)
    for (const key of keys) {
      const ready = lengths.get(sleepers.get(key)?.queue ?? '') ?? 0
      if (ready === 0) continue
      wakings.set(key, { atMs: nowMs(), ready })
      wake(key)
    }
  }
  const look = (): void => {
    const hosts = new Map<string, { broker: Broker; keys: string[] }>()
    for (const [key, { broker }] of sleepers) {
      const host = [broker.managementUri, broker.username, broker.vhost].join('\n')
      const known = hosts.get(host) ?? { broker, keys: [] }
      known.keys.push(key)
      hosts.set(host, known)
    }
    for (const [host, { broker, keys }] of hosts) if (!busy.has(host)) void lookAt(host, broker, keys)
  }
  const stop = every(LOOK_MS, look)
  return {
    asleep: (key, broker, queue) => void sleepers.set(key, { broker, queue }),
    awake: (key) => void sleepers.delete(key),
    wakingOf: (key) => {
      const waking = wakings.get(key)
      if (waking === undefined || nowMs() - waking.atMs < STATISTICS_MS) return waking
      wakings.delete(key)
      return undefined
    },
    close: stop,
  }
}
