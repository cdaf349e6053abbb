import { type Bounds, boundsOf } from './behavior.ts'
import type { Scaling } from './block.ts'
import { downstreamRate } from './downstream.ts'
import { idleSeconds, isStale, learn, type Memory } from './memory.ts'
import type { Pauses } from './pauses.ts'
import type { ScalingReason, TriggerProblem } from './reasons.ts'
import { arrivalRate, contradictionIn, lately, rateOver, type Sample } from './sample.ts'
import { type ServiceRate, serviceRate } from './service-rate.ts'
import { isNeverIdle } from './standing.ts'

/** The number is decided elsewhere, or must not be touched because of what is there: why, and what is known of it. */
export type Elsewhere = { reason: ScalingReason; message: string }

/** What is seen of a pipeline at one moment, raw. */
export type Facts = {
  /** Looks at the queue as `withLook` keeps them, oldest first; none when it could not be looked at. */
  samples: readonly Sample[]
  /** current: as the Deployment's spec has it. ready: serving. */
  replicas: { current: number; ready: number }
  /** The values of the prometheus triggers by their names; one that is missing, or no number, is unknown. */
  metrics: Readonly<Record<string, number | undefined>>
  /** Why prometheus triggers are unknown. */
  problems?: readonly TriggerProblem[]
  pauses: Pauses
  /** `spec.signals.replicas`. */
  fixed: number | undefined
  /** Messages that one pod handles together: `spec.signals.batch.size`. */
  concurrency: number
  /** Messages of the largest size that the queue has room for. */
  room?: number | undefined
  /** What keeps the operator from deciding; left out when nothing does. */
  elsewhere?: Elsewhere | undefined
}

/**
 * Everything that a decision is made of, in figures that a person can read and `status.scaling` shows: who has them
 * and the block makes the same decision again. Rates are per second. What is not there is not known.
 */
export type Situation = {
  /** Age of the last look at the queue. */
  statsAgeSeconds?: number
  replicas: { current: number; ready: number }
  inputs: {
    ready?: number
    unacked?: number
    publishRate?: number
    ackRate?: number
    serviceRate?: ServiceRate
    /** What everything behind the pods takes, when that is the limit. */
    downstreamRate?: number
    startupSeconds: number
    concurrency: number
    /** Messages of the largest size that the queue has room for; of pods that shall never be idle. */
    room?: number
    /** Since a trigger was last active. */
    idleSeconds?: number
    /** Nothing was ever to do. */
    neverActive?: boolean
    /** Since a trigger could last be read. */
    unknownSeconds?: number
    metrics?: { name: string; value: number }[]
    problems?: TriggerProblem[]
    contradiction?: string
    fixed?: number
    elsewhere?: Elsewhere
  }
  bounds: Bounds & { burst: boolean }
  pauses: Pauses
}

/** Four digits: what is decided on is what is shown. */
const figure = (value: number): number => Number(value.toPrecision(4))

/** Counts and figures of this moment, and the memory with what this moment teaches. Pure. */
export const situationOf = (
  facts: Facts,
  scaling: Scaling,
  before: Memory,
  nowMs: number,
): { situation: Situation; memory: Memory } => {
  const { samples, replicas } = facts
  const memory = learn(before, samples, replicas, scaling, nowMs)
  const last = samples.at(-1)
  const known = last !== undefined && !isStale(samples, scaling.pollingInterval, nowMs)
  const rate = serviceRate(memory.rates, nowMs)
  const downstream = downstreamRate(memory.downstream, nowMs)
  const { pollingInterval } = scaling
  const published = arrivalRate(samples)
  const acked = rateOver(lately(samples, pollingInterval), 'acked')
  const contradiction = known ? contradictionIn(samples, pollingInterval) : undefined
  const metrics = Object.entries(facts.metrics).flatMap(([name, value]) =>
    value === undefined || !Number.isFinite(value) ? [] : [{ name, value: figure(value) }],
  )
  const situation: Situation = {
    ...(last !== undefined && { statsAgeSeconds: Math.round((nowMs - last.atMs) / 1000) }),
    replicas,
    inputs: {
      ...(known && { ready: last.ready, unacked: last.unacked }),
      ...(known && published !== undefined && { publishRate: figure(published) }),
      ...(known && acked !== undefined && { ackRate: figure(acked) }),
      ...(rate !== undefined && { serviceRate: { ...rate, value: figure(rate.value) } }),
      ...(downstream !== undefined && { downstreamRate: figure(downstream) }),
      startupSeconds: figure(memory.startupSeconds),
      concurrency: facts.concurrency,
      ...(facts.room !== undefined && isNeverIdle(scaling) && { room: facts.room }),
      idleSeconds: Math.floor(idleSeconds(memory, nowMs)),
      ...(memory.lastActiveMs === undefined && { neverActive: true }),
      ...(memory.unknownMs !== undefined && { unknownSeconds: Math.floor((nowMs - memory.unknownMs) / 1000) }),
      ...(metrics.length > 0 && { metrics }),
      ...((facts.problems ?? []).length > 0 && { problems: [...(facts.problems ?? [])] }),
      ...(contradiction !== undefined && { contradiction }),
      ...(facts.fixed !== undefined && { fixed: facts.fixed }),
      ...(facts.elsewhere !== undefined && { elsewhere: facts.elsewhere }),
    },
    bounds: {
      ...boundsOf(scaling.behavior, replicas.current, memory.wanted, memory.changes, nowMs),
      burst: nowMs < memory.burstUntilMs,
    },
    pauses: facts.pauses,
  }
  return { situation, memory }
}
