import { bytesOf } from '#contract/pipeline.ts'
import { MAX_BODY_BYTES } from '#contract/recording.ts'
import { type Decision, decideScaling } from '#contract/scaling/decision.ts'
import { freshMemory, type Memory } from '#contract/scaling/memory.ts'
import { pausesOf } from '#contract/scaling/pauses.ts'
import type { Facts } from '#contract/scaling/situation.ts'
import { type ScalingStatus, scalingStatusOf } from '#contract/scaling/status.ts'
import type { Pipeline } from './pipeline.ts'

export type { Memory } from '#contract/scaling/memory.ts'
export type { Sample } from '#contract/scaling/sample.ts'
export type { ScalingStatus } from '#contract/scaling/status.ts'

type Fields = Record<string, unknown>
const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** `after` with a null for each field that only `before` has: a merge patch would keep it otherwise. */
const clearing = (before: Fields, after: Fields): Fields => ({
  ...Object.fromEntries(Object.keys(before).map((name) => [name, null])),
  ...Object.fromEntries(
    Object.entries(after).map(([name, value]) => {
      const was = before[name]
      return [name, isFields(was) && isFields(value) ? clearing(was, value) : value]
    }),
  ),
})

/** The status of a decision with what becomes of a drain, for a merge patch. */
export const withDrain = (
  status: ScalingStatus,
  before: Partial<ScalingStatus> | undefined,
  drain: ScalingStatus['drain'],
): ScalingStatus => {
  const { drain: _, ...rest } = status
  if (drain !== undefined) return { ...rest, drain }
  return (before?.drain === undefined ? rest : { ...rest, drain: null }) as ScalingStatus
}

export type ScalingPlan = Pick<Decision, 'replicas' | 'reason' | 'message'> & {
  /** What a merge patch writes as `status.scaling`; the same as before unless there is news. */
  status: ScalingStatus
  memory: Memory
}

/**
 * How many signals pods a pipeline shall have, and what its status says of that. The decision itself is the contract's,
 * so that xrayctl can make it again. Pure.
 * @param seen samples of its queue, the pods of its signals Deployment, and values of its prometheus triggers
 * @param memory what the former decision left; undefined for an operator that has just started, which goes by what the
 *   status shows
 */
export const planScaling = (
  { spec, metadata, status }: Pipeline,
  seen: Pick<Facts, 'samples' | 'replicas' | 'metrics' | 'problems' | 'elsewhere'>,
  memory: Memory | undefined,
  nowMs: number,
): ScalingPlan => {
  const { scaling, replicas: fixed, batch } = spec.signals
  const before = status?.scaling
  // Pods that are to go are given up already: a decision is about those that stay.
  const kept = before?.drain?.to ?? Number.POSITIVE_INFINITY
  const facts: Facts = {
    ...seen,
    replicas: { current: Math.min(seen.replicas.current, kept), ready: Math.min(seen.replicas.ready, kept) },
    fixed,
    concurrency: batch.size,
    room: Math.floor(bytesOf(spec.broker.maxLengthBytes) / MAX_BODY_BYTES),
    pauses: pausesOf(metadata.annotations),
  }
  const decision = decideScaling(facts, scaling, memory ?? freshMemory(nowMs, before?.inputs), nowMs)
  const after = scalingStatusOf(decision, before, nowMs)
  return {
    replicas: decision.replicas,
    reason: decision.reason,
    message: decision.message,
    status: after === before ? after : (clearing(before ?? {}, after) as ScalingStatus),
    memory: decision.memory,
  }
}
