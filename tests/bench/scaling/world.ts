/** What is simulated: messages that arrive, pods that take some at once, and what goes wrong meanwhile. */
export type Scenario = {
  name: string
  seconds: number
  /** Messages that arrive in the second that begins at `second`; may be a part of one. */
  arrivals: (second: number) => number
  /** Messages that a pod handles at once, and seconds for one. */
  concurrency: number
  serviceSeconds: number
  /** Messages a second that everything behind the pods takes, all together. */
  downstreamPerSecond?: number
  /** Seconds from which on, and until when, pods take messages and finish none. */
  stalled?: [from: number, to: number]
  /** When the broker's management API does not answer, or answers without figures. */
  unanswered?: [from: number, to: number]
  blank?: [from: number, to: number]
  maxReplicas: number
  /** How often it is run, each time with other phases of all clocks. */
  runs: number
}

/** The queue as the broker's statistics have it: as old as their last emission. */
export type Look = { atSeconds: number; ready: number; unacked: number; published: number; acked: number }

type Pod = {
  readyAt: number
  endingAt: number | undefined
  /** When each place is free, and when the message in it arrived; -1 in a place that is empty. */
  freeAt: Float64Array
  arrivedAt: Float64Array
}

export type Totals = {
  latencies: number[]
  podSeconds: number
  redelivered: number
  flips: number
  writes: number
  left: number
  /** The most pods, and when each number of them was ready for the first time. */
  most: number
  readySeconds: number[]
}

export const TICK_SECONDS = 0.5
/** RabbitMQ's `collect_statistics_interval`. */
const STATISTICS_SECONDS = 5
const STARTUP_SECONDS = 8
/** Kubernetes' own; what a pod has not finished then goes back to the queue. */
const GRACE_SECONDS = 30

const within = (range: [number, number] | undefined, now: number): boolean =>
  range !== undefined && now >= range[0] && now < range[1]

/** Messages that wait, as when they arrived: those that came back first. */
const createQueue = () => {
  let waiting: number[] = []
  let head = 0
  const back: number[] = []
  return {
    size: () => waiting.length - head + back.length,
    push: (at: number) => void waiting.push(at),
    putBack: (at: number) => void back.push(at),
    take: (): number | undefined => {
      if (back.length > 0) return back.shift()
      if (head === waiting.length) return undefined
      const at = waiting[head++]
      if (head > 100_000) {
        waiting = waiting.slice(head)
        head = 0
      }
      return at
    },
  }
}

/**
 * A queue and the pods that empty it, in steps of half a second. Pods of all scalers are the same: 8 s to start, and
 * 30 s to finish what they have when they are ended, the newest first.
 */
export const createWorld = (scenario: Scenario, random: () => number) => {
  const { concurrency, serviceSeconds, downstreamPerSecond } = scenario
  const queue = createQueue()
  const totals: Totals = {
    latencies: [],
    podSeconds: 0,
    redelivered: 0,
    flips: 0,
    writes: 0,
    left: 0,
    most: 0,
    readySeconds: [],
  }
  let pods: Pod[] = []
  let [now, wanted, direction] = [0, 0, 0]
  let [published, acked, arriving, downstreamFreeAt] = [0, 0, 0, 0]
  const emissionPhase = random() * STATISTICS_SECONDS
  let emitted: Look = { atSeconds: 0, ready: 0, unacked: 0, published: 0, acked: 0 }

  const serving = () => pods.filter(({ endingAt, readyAt }) => endingAt === undefined && readyAt <= now)
  const busy = ({ arrivedAt }: Pod): number => arrivedAt.reduce((sum, at) => sum + (at < 0 ? 0 : 1), 0)

  const finishAt = (startAt: number): number => {
    const own = startAt + serviceSeconds * (0.8 + 0.4 * random())
    if (downstreamPerSecond === undefined) return own
    downstreamFreeAt = Math.max(downstreamFreeAt, startAt) + 1 / downstreamPerSecond
    return Math.max(own, downstreamFreeAt)
  }

  const work = (pod: Pod, until: number): void => {
    for (let place = 0; place < concurrency; place++) {
      for (;;) {
        const arrived = pod.arrivedAt[place] as number
        if (arrived >= 0) {
          if ((pod.freeAt[place] as number) > until) break
          totals.latencies.push((pod.freeAt[place] as number) - arrived)
          acked++
          pod.arrivedAt[place] = -1
        }
        if (pod.endingAt !== undefined) break
        const next = queue.take()
        if (next === undefined) break
        pod.arrivedAt[place] = next
        pod.freeAt[place] = finishAt(Math.max(pod.freeAt[place] as number, pod.readyAt, next, now))
      }
    }
  }

  const end = (pod: Pod): boolean => {
    if (pod.endingAt === undefined) return false
    if (busy(pod) > 0 && now - pod.endingAt < GRACE_SECONDS) return false
    for (const arrived of pod.arrivedAt)
      if (arrived >= 0) {
        queue.putBack(arrived)
        totals.redelivered++
      }
    return true
  }

  return {
    now: () => now,
    wanted: () => wanted,
    ready: () => serving().length,
    /** The statistics, undefined while nobody answers; `blank` when the answer has no figures. */
    look: (): Look | 'blank' | undefined =>
      within(scenario.unanswered, now) ? undefined : within(scenario.blank, now) ? 'blank' : emitted,
    scale: (replicas: number): void => {
      if (replicas === wanted) return
      const sign = Math.sign(replicas - wanted)
      if (direction !== 0 && sign !== direction) totals.flips++
      totals.writes++
      direction = sign
      wanted = replicas
      const live = pods.filter(({ endingAt }) => endingAt === undefined)
      for (let index = live.length; index < replicas; index++)
        pods.push({
          readyAt: now + STARTUP_SECONDS * (0.8 + 0.4 * random()),
          endingAt: undefined,
          freeAt: new Float64Array(concurrency),
          arrivedAt: new Float64Array(concurrency).fill(-1),
        })
      // As a ReplicaSet does: those that are not ready yet, then the newest.
      const victims = live.sort((a, b) => b.readyAt - a.readyAt).slice(0, Math.max(0, live.length - replicas))
      for (const pod of victims) pod.endingAt = now
    },
    /** Goes on by a tick. */
    pass: (): void => {
      const until = now + TICK_SECONDS
      arriving += scenario.arrivals(Math.floor(now)) * TICK_SECONDS
      const count = Math.floor(arriving + 1e-9)
      arriving -= count
      for (let index = 0; index < count; index++) queue.push(now + (TICK_SECONDS * index) / count)
      published += count
      const stalled = within(scenario.stalled, now)
      for (const pod of pods) {
        if (pod.readyAt > until) continue
        if (stalled) pod.freeAt = pod.freeAt.map((at) => Math.max(at, now) + TICK_SECONDS)
        work(pod, until)
      }
      now = until
      pods = pods.filter((pod) => !end(pod))
      totals.podSeconds += pods.length * TICK_SECONDS
      const unacked = pods.reduce((sum, pod) => sum + busy(pod), 0)
      const ready = serving().length
      while (totals.readySeconds.length <= ready) totals.readySeconds.push(now)
      totals.most = Math.max(totals.most, ready)
      if (now >= emissionPhase && (now - emissionPhase) % STATISTICS_SECONDS < TICK_SECONDS)
        emitted = { atSeconds: now, ready: queue.size(), unacked, published, acked }
      totals.left = queue.size() + unacked
    },
    totals: (): Totals => totals,
  }
}

export type World = ReturnType<typeof createWorld>
