import type { Scaling } from '#contract/scaling/block.ts'

/** One look at a queue. Counters only grow, but for a restart of the broker. */
export type Sample = { atMs: number; ready: number; unacked: number; published: number; acked: number }

/** What is remembered between decisions. */
export type Memory = {
  /** Messages that one pod handles in a second, learnt while the queue was never empty. */
  serviceRate?: number
  lastActiveMs?: number
  /** What was wanted lately, for the stabilisation of scale-in. */
  wanted: { atMs: number; replicas: number }[]
}

export type ScalingReason =
  | 'ScalingOff'
  | 'BacklogUnknown'
  | 'QueueEmpty'
  | 'CoolingDown'
  | 'UnackedMessages'
  | 'BacklogAndRate'
  | 'Stabilizing'
  | 'Steady'

export type ScalingStatus = { desired: number; reason: ScalingReason; message: string; terms: Record<string, string> }

export type Decision = ScalingStatus & { memory: Memory }

/** Samples older than this many polling intervals say nothing about now. */
const STALE_INTERVALS = 3
const RATE_WINDOW_MS = 15_000
const SCALE_IN_WINDOW_MS = 60_000
/** How long a pod takes from its creation to its first message; measured on the local cluster. */
const STARTUP_SECONDS = 3
const LEARNING = 0.3

/** Growth of a counter per second; a counter that fell was reset, and its new value is all that is known. */
const rateOf = (samples: readonly Sample[], counter: 'published' | 'acked'): number => {
  const [first, last] = [samples[0], samples.at(-1)]
  if (first === undefined || last === undefined || last.atMs <= first.atMs) return 0
  let growth = 0
  for (const [index, sample] of samples.entries()) {
    const before = samples[index - 1]
    if (before !== undefined)
      growth += sample[counter] >= before[counter] ? sample[counter] - before[counter] : sample[counter]
  }
  return (growth * 1000) / (last.atMs - first.atMs)
}

const clamp = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, value))
const round = (value: number): string => String(Math.round(value * 100) / 100)

/**
 * How many signals pods there should be. Pure: the same facts always give the same answer.
 *
 * want = arrival / (utilisation x rate) + backlog / (rate x drain time) + what piles up while pods start, all in one
 * step from any number, 0 included; until a rate is learnt, backlog / value as KEDA has it. Never fewer on missing or
 * stale data, never none while a message is unacknowledged, and fewer only when the whole last minute wanted fewer.
 * @param samples of the last minute, oldest first; empty when the broker could not be asked
 * @param replicas current: as the Deployment's spec has it; ready: serving
 */
export const decideScaling = (
  samples: readonly Sample[],
  replicas: { current: number; ready: number },
  scaling: Scaling,
  fixed: number | undefined,
  memory: Memory,
  nowMs: number,
): Decision => {
  const { minReplicaCount: min, maxReplicaCount: max } = scaling
  const decide = (
    desired: number,
    reason: ScalingReason,
    message: string,
    changed: Partial<Memory> = {},
    terms = {},
  ): Decision => ({
    desired,
    reason,
    message,
    terms,
    memory: { ...memory, ...changed },
  })
  if (scaling.provider !== 'Native')
    return decide(fixed ?? replicas.current, 'ScalingOff', 'spec.signals.replicas decides')

  const last = samples.at(-1)
  if (last === undefined || nowMs - last.atMs > STALE_INTERVALS * scaling.pollingInterval * 1000)
    return decide(
      clamp(replicas.current, Math.min(min, replicas.current), max),
      'BacklogUnknown',
      `the queue's depth is not known: staying at ${replicas.current}`,
    )

  const window = samples.filter(({ atMs }) => atMs >= last.atMs - RATE_WINDOW_MS)
  const [arrival, service] = [rateOf(window, 'published'), rateOf(window, 'acked')]
  const backlog = last.ready + last.unacked
  const trigger = scaling.triggers.find(({ type }) => type === 'rabbitmq')?.metadata as
    | { value: string; activationValue?: string }
    | undefined
  const active = backlog > Number(trigger?.activationValue ?? 0) || arrival > 0
  const lastActiveMs = active ? nowMs : (memory.lastActiveMs ?? nowMs)

  // A pod's capacity shows only while every look found messages waiting; otherwise it shows the demand.
  const busy = window.length >= 2 && window.every(({ ready }) => ready > 0) && replicas.ready > 0 && service > 0
  const seen = service / Math.max(1, replicas.ready)
  const learnt = busy
    ? memory.serviceRate === undefined
      ? seen
      : memory.serviceRate * (1 - LEARNING) + seen * LEARNING
    : memory.serviceRate
  const known: Partial<Memory> = { lastActiveMs, ...(learnt !== undefined && { serviceRate: learnt }) }

  if (!active) {
    if (last.unacked > 0)
      return decide(
        Math.max(1, replicas.current),
        'UnackedMessages',
        `${last.unacked} unacknowledged: staying at ${replicas.current}`,
        known,
      )
    const idleSeconds = (nowMs - lastActiveMs) / 1000
    if (replicas.current > min && idleSeconds < scaling.cooldownPeriod)
      return decide(
        Math.max(replicas.current > 0 ? 1 : 0, Math.min(replicas.current, Math.max(min, 1))),
        'CoolingDown',
        `the queue is empty; cooling down for ${scaling.cooldownPeriod} s`,
        known,
      )
    return decide(min, 'QueueEmpty', 'the queue is empty', { ...known, wanted: [] })
  }

  const { targetDrainSeconds: drain, targetUtilization: utilization } = scaling.slo
  const terms =
    learnt === undefined
      ? { backlog: backlog / Number(trigger?.value ?? 20) }
      : {
          steady: arrival / (utilization * learnt),
          backlog: backlog / (learnt * drain),
          startup: (Math.max(0, arrival - learnt * replicas.ready) * STARTUP_SECONDS) / (learnt * drain),
        }
  const raw = Math.ceil(Object.values(terms).reduce((sum, term) => sum + term, 0) - 1e-9)
  // A pod with nothing to take is useless.
  const useful = Math.min(raw, replicas.current + last.ready + Math.ceil(arrival * STARTUP_SECONDS))
  const want = clamp(useful, Math.max(min, 1), max)
  const wanted = [
    ...memory.wanted.filter(({ atMs }) => atMs > nowMs - SCALE_IN_WINDOW_MS),
    { atMs: nowMs, replicas: want },
  ]
  const shown = Object.fromEntries(Object.entries(terms).map(([name, value]) => [name, round(value)]))
  const figures = `${last.ready} waiting, ${last.unacked} unacknowledged, ${round(arrival)}/s arriving, ${learnt === undefined ? 'rate not learnt yet' : `${round(learnt)}/s a pod`}`
  const remember = { ...known, wanted }
  if (want > replicas.current)
    return decide(want, 'BacklogAndRate', `${replicas.current} -> ${want}: ${figures}`, remember, shown)
  const highest = Math.max(...wanted.map(({ replicas: count }) => count))
  const stable = clamp(Math.min(replicas.current, highest), Math.max(min, 1), max)
  if (want < replicas.current && stable === replicas.current)
    return decide(stable, 'Stabilizing', `staying at ${stable} for a minute of calm: ${figures}`, remember, shown)
  if (stable < replicas.current)
    return decide(stable, 'BacklogAndRate', `${replicas.current} -> ${stable}: ${figures}`, remember, shown)
  return decide(stable, 'Steady', figures, remember, shown)
}
