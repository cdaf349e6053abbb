import type { PrometheusTrigger, RabbitTrigger, Scaling, Trigger } from './block.ts'
import type { ScalingReason } from './reasons.ts'
import type { Situation } from './situation.ts'
import { standingOf } from './standing.ts'

/** The parts of a sum of pods: for what arrives, for what has gathered, and for what gathers while pods start. */
export type Terms = { steady: number; startup: number; backlog: number }

export type Limit = { name: string; from: number; to: number }

/** What one trigger asks for. `active`: there is something to do. */
export type Demand = {
  active: boolean
  /** Before anything limits it. */
  raw: number
  replicas: number
  reason: ScalingReason
  terms: Terms
  limits: Limit[]
  /** How the number comes about, for people. */
  sum: string
}

/** Above it a pod would do whole waves of messages in the time, and a part of one counts. */
const WAVES = 5
/** Pods for so much of what the downstream takes, so that they are not quite the limit themselves. */
const DOWNSTREAM_PART = 0.8
const NO_TERMS: Terms = { steady: 0, startup: 0, backlog: 0 }

/** Rounds up, but for what floating point adds. */
const up = (value: number): number => Math.max(0, Math.ceil(value - 1e-9))

export const show = (value: number): string =>
  (value >= 100 ? Math.round(value) : Number(value.toPrecision(3))).toLocaleString('en-US')

/** How a trigger is called where it was given no name. */
export const triggerName = (trigger: Trigger, index: number): string => trigger.name ?? `${trigger.type}-${index}`

/** Messages a second of one pod: learnt, or as a trigger in the mode MessageRate gives it. */
const rateOf = ({ inputs }: Situation, trigger: RabbitTrigger): number | undefined =>
  inputs.serviceRate?.value ?? (trigger.metadata.mode === 'MessageRate' ? Number(trigger.metadata.value) : undefined)

/** How many times a pod can take all that it takes at once, within the drain time. */
const wavesOf = ({ inputs }: Situation, rate: number, { slo }: Scaling): number =>
  (slo.targetDrainSeconds * rate) / inputs.concurrency

/**
 * Pods by arrival and backlog; after DS2 (OSDI '18) and Flink's autoscaler. Long jobs count in whole waves: of 90 s jobs
 * a pod does not a half in 45 s.
 */
const termsOf = (situation: Situation, backlog: number, arrival: number, rate: number, scaling: Scaling): Terms => {
  const { inputs, replicas } = situation
  const { targetDrainSeconds: drain, targetUtilization } = scaling.slo
  const waves = wavesOf(situation, rate, scaling)
  const each = waves >= WAVES ? rate * drain : inputs.concurrency * Math.max(1, Math.floor(waves))
  return {
    steady: arrival / (targetUtilization * rate),
    startup: (Math.max(0, arrival - rate * replicas.ready) * inputs.startupSeconds) / (rate * drain),
    backlog: backlog / each,
  }
}

const queueDemand = (situation: Situation, trigger: RabbitTrigger, scaling: Scaling): Demand | undefined => {
  const { inputs, replicas } = situation
  const { ready, unacked, publishRate: arrival = 0 } = inputs
  if (ready === undefined || unacked === undefined) return undefined
  const { mode = 'QueueLength', value, activationValue = '0', excludeUnacknowledged } = trigger.metadata
  const rate = rateOf(situation, trigger)
  // A long job that is under way keeps its pod, or it would have to begin again elsewhere.
  const isLong = rate !== undefined && wavesOf(situation, rate, scaling) < WAVES
  const backlog = ready + (excludeUnacknowledged === 'true' && !isLong ? 0 : unacked)
  // A queue whose pods keep up is empty at every look and not idle: its rate shows it.
  const isActive =
    mode === 'MessageRate'
      ? arrival > Number(activationValue) || backlog > 0
      : backlog > Number(activationValue) || (Number(activationValue) === 0 && arrival > 0)
  const standing = rate === undefined || isLong ? 0 : standingOf(arrival, inputs.room, scaling)
  const terms =
    rate === undefined
      ? { ...NO_TERMS, backlog: backlog / Number(value) }
      : termsOf(situation, backlog - standing, arrival, rate, scaling)
  const raw = up(terms.steady + terms.startup + terms.backlog)
  const waiting =
    standing === 0 ? `${show(backlog)} waiting` : `(${show(backlog)} waiting - ${show(standing)} left to stand)`
  const sum =
    rate === undefined
      ? `${waiting} / ${value} for a pod`
      : `${waiting} / (${show(rate)}/s x ${scaling.slo.targetDrainSeconds} s) + ${show(arrival)}/s arriving / (${show(rate)}/s x ${scaling.slo.targetUtilization})`
  const demand: Demand = { active: isActive, raw, replicas: raw, reason: 'BacklogAndRate', terms, limits: [], sum }
  const limited = (name: string, to: number, reason?: ScalingReason): void => {
    if (to >= demand.replicas) return
    demand.limits.push({ name, from: demand.replicas, to })
    demand.replicas = to
    if (reason !== undefined) demand.reason = reason
  }

  if (rate !== undefined && standing > 0) {
    // A pod that has something to do stays: work costs the same whenever it is done, and the start of another comes on top.
    const fed = up((arrival + backlog / scaling.slo.targetDrainSeconds) / rate)
    demand.replicas = Math.max(raw, Math.min(replicas.current, fed))
    if (demand.replicas > raw) demand.limits.push({ name: 'Standing', from: raw, to: demand.replicas })
  }
  // Unacknowledged messages belong to a pod already: a further one that finds nothing ready is useless.
  limited('Useful', replicas.current + ready + up(arrival * inputs.startupSeconds))
  if (rate === undefined) return demand
  if (inputs.downstreamRate !== undefined)
    limited('Downstream', Math.max(1, up(inputs.downstreamRate / (DOWNSTREAM_PART * rate))), 'ScalingIneffective')
  const spare = rate * replicas.ready - arrival
  const soonSeconds = Math.min(inputs.startupSeconds, scaling.slo.targetDrainSeconds)
  if (demand.replicas > replicas.current && spare > 0 && backlog / spare <= soonSeconds)
    limited('SoonDrained', replicas.current, 'SoonDrained')
  return demand
}

const metricDemand = (situation: Situation, trigger: PrometheusTrigger, name: string): Demand | undefined => {
  const value = situation.inputs.metrics?.find((metric) => metric.name === name)?.value
  if (value === undefined) return undefined
  const { threshold, activationThreshold = '0' } = trigger.metadata
  const raw = up(value / Number(threshold))
  return {
    active: value > Number(activationThreshold),
    raw,
    replicas: raw,
    reason: 'TriggerValue',
    terms: { ...NO_TERMS, steady: Math.max(0, value / Number(threshold)) },
    limits: [],
    sum: `${name} is ${show(value)} / ${threshold} for a pod`,
  }
}

/** What a trigger asks for; undefined when it is not known. */
export const demandOf = (
  situation: Situation,
  trigger: Trigger,
  index: number,
  scaling: Scaling,
): Demand | undefined =>
  trigger.type === 'rabbitmq'
    ? queueDemand(situation, trigger, scaling)
    : metricDemand(situation, trigger, triggerName(trigger, index))
