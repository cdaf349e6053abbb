import { type Change, keptMs, type Wanted } from './behavior.ts'
import type { Scaling } from './block.ts'
import { type Downstream, watchDownstream } from './downstream.ts'
import type { Sample } from './sample.ts'
import { learnRate, type MeasuredRate, saturatedRate, serviceRate } from './service-rate.ts'
import type { Situation } from './situation.ts'

/** What is remembered between decisions. It is lost with the process; the status brings the rates back. */
export type Memory = {
  /** When it began. */
  sinceMs: number
  rates: MeasuredRate[]
  /** From the wish for more pods until they were ready. */
  startupSeconds: number
  /** The time of the last sample that was learnt from. */
  learntMs: number
  /** The number of ready pods, and since when. */
  steady?: { ready: number; sinceMs: number }
  /** The number of pods that was seen last. */
  current?: number
  changes: Change[]
  /** More pods that are awaited. */
  starting?: { replicas: number; atMs: number }
  wanted: Wanted[]
  downstream?: Downstream
  lastActiveMs?: number
  /** Since when a trigger cannot be read. */
  unknownMs?: number
  /** Nothing is taken away until then. */
  burstUntilMs: number
}

/** How long a pod takes from its creation to its first message on the local cluster, measured; then each learns its own. */
const STARTUP_SECONDS = 3
const LONGEST_STARTUP_SECONDS = 120
const LEARNING = 0.5
/** Without history nothing tells a lull from an end. */
export const CALM_MS = 60_000

/**
 * The memory of an operator that has just started.
 * @param shown the inputs in the status that a former one wrote, if any
 */
export const freshMemory = (nowMs: number, shown?: Partial<Situation['inputs']>): Memory => ({
  sinceMs: nowMs,
  rates:
    shown?.serviceRate === undefined || shown.serviceRate.source === 'Given'
      ? []
      : [
          {
            replicas: 1,
            perSecond: shown.serviceRate.value,
            samples: shown.serviceRate.samples,
            atMs: nowMs,
            remembered: true,
          },
        ],
  startupSeconds: shown?.startupSeconds ?? STARTUP_SECONDS,
  learntMs: 0,
  changes: [],
  wanted: [],
  // When it was is not written down, so the cooldown begins again.
  ...(shown !== undefined && shown.neverActive !== true && { lastActiveMs: nowMs }),
  burstUntilMs: nowMs + CALM_MS,
})

type Replicas = { current: number; ready: number }

const withReplicas = (memory: Memory, { current, ready }: Replicas, scaling: Scaling, nowMs: number): Memory => {
  const { current: before, starting, steady, ...rest } = memory
  const kept = <T extends { atMs: number }>(all: readonly T[]): T[] =>
    all.filter(({ atMs }) => atMs > nowMs - keptMs(scaling.behavior))
  const changes = [
    ...kept(memory.changes),
    ...(before !== undefined && before !== current ? [{ atMs: nowMs, from: before, to: current }] : []),
  ]
  const begun = before !== undefined && current > before ? { replicas: current, atMs: nowMs } : starting
  const awaited = begun !== undefined && current >= begun.replicas && ready < begun.replicas ? begun : undefined
  const took =
    starting !== undefined && ready >= starting.replicas
      ? Math.min(LONGEST_STARTUP_SECONDS, Math.max(1, (nowMs - starting.atMs) / 1000))
      : undefined
  return {
    ...rest,
    current,
    changes,
    wanted: kept(memory.wanted),
    steady: steady?.ready === ready ? steady : { ready, sinceMs: nowMs },
    startupSeconds:
      took === undefined ? memory.startupSeconds : memory.startupSeconds * (1 - LEARNING) + took * LEARNING,
    ...(awaited !== undefined && { starting: awaited }),
  }
}

/** Learns from what is seen now: the pods, and what they do while they are the limit. Each sample teaches once. */
export const learn = (
  before: Memory,
  samples: readonly Sample[],
  replicas: Replicas,
  scaling: Scaling,
  nowMs: number,
): Memory => {
  const memory = withReplicas(before, replicas, scaling, nowMs)
  const last = samples.at(-1)
  if (last === undefined || last.atMs <= memory.learntMs || replicas.ready === 0) return memory
  const total = saturatedRate(samples, scaling.pollingInterval, memory.steady?.sinceMs ?? nowMs)
  if (total === undefined) return { ...memory, learntMs: last.atMs }
  const one = serviceRate(memory.rates, nowMs)
  const { downstream: watched, ...rest } = memory
  const downstream =
    one === undefined ? undefined : watchDownstream(watched, total, one.value * replicas.ready, last.atMs)
  // What was wanted before the limit was seen was wanted in error, and would keep the number up for its whole window.
  const limited = downstream !== undefined && downstream.strikes === 2
  return {
    ...rest,
    learntMs: last.atMs,
    rates: learnRate(memory.rates, replicas.ready, total, last.atMs),
    ...(downstream !== undefined && { downstream }),
    ...(limited && { wanted: [], burstUntilMs: 0 }),
  }
}

/** Seconds since anything was to do, of the memory's whole life when nothing ever was. */
export const idleSeconds = ({ lastActiveMs, sinceMs }: Memory, nowMs: number): number =>
  (nowMs - (lastActiveMs ?? sinceMs)) / 1000

/** True while the last look is too old to say anything about now: three polls, and two of the broker's statistics. */
export const isStale = (samples: readonly Sample[], pollingInterval: number, nowMs: number): boolean =>
  nowMs - (samples.at(-1)?.atMs ?? Number.NEGATIVE_INFINITY) > Math.max(3 * pollingInterval, 10) * 1000
