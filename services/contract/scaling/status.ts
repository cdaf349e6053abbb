import type { Scaling } from './block.ts'
import { type Decision, decide, type Verdict } from './decision.ts'
import type { ScalingReason } from './reasons.ts'
import type { Situation } from './situation.ts'

export type HistoryEntry = { at: string; from: number; to: number; reason: ScalingReason }

/** Pods that are taken away, from so many to so many; those of them that have finished. */
export type DrainStatus = { from: number; to: number; finished: number; message: string }

/** `status.scaling`: one decision whole, with everything that it was made of, and the last ten changes. */
export type ScalingStatus = Omit<Situation, 'replicas'> &
  Omit<Verdict, 'desired' | 'raw' | 'stabilized'> & {
    observedAt: string
    replicas: { current: number; ready: number; raw: number; stabilized: number; desired: number }
    history: HistoryEntry[]
    /** While pods are being taken away. */
    drain?: DrainStatus
  }

const HISTORY = 10
/** Figures alone are written no more often than so. */
const REFRESH_MS = 30_000
/** The broker's counters move every 5 s: after so long the second look should have come. */
const SECOND_LOOK_MS = 10_000
/** Waiting messages that are no sign of anything. */
const FEW = 20
/** Reasons to leave a number that come and go while the load is about what the pods are for. */
const CALM: readonly ScalingReason[] = ['Steady', 'Stabilizing', 'BurstHold', 'SoonDrained', 'PolicyLimit']

/** By a factor of two, and by more than a few. */
const differs = (before = 0, after = 0): boolean =>
  Math.abs(after - before) > FEW && Math.max(before, after) > 2 * Math.min(before, after)

/** The number is held because one look at an empty queue does not tell what arrives. */
const isFirstLook = ({ inputs, reason }: ScalingStatus): boolean =>
  reason === 'BurstHold' && inputs.ready !== undefined && inputs.publishRate === undefined

/** Whether a reader of `before` would be misled about now. Its age and the usual ups and downs mislead nobody. */
const isNews = (before: ScalingStatus, after: ScalingStatus): boolean => {
  const moved = (['current', 'desired'] as const).some((name) => before.replicas[name] !== after.replicas[name])
  if (moved) return true
  if (JSON.stringify(before.inputs.problems ?? []) !== JSON.stringify(after.inputs.problems ?? [])) return true
  if (before.inputs.elsewhere?.message !== after.inputs.elsewhere?.message) return true
  const agedMs = Date.parse(after.observedAt) - Date.parse(before.observedAt)
  // What arrives takes two looks to tell. After the first the number stays, and the reason is the next one's to say: an
  // operator that starts would write each of its pipelines twice.
  if (isFirstLook(after) && (before.reason !== 'BacklogUnknown' || agedMs < SECOND_LOOK_MS)) return false
  if (before.reason !== after.reason && !(CALM.includes(before.reason) && CALM.includes(after.reason))) return true
  const [was, is] = [before.inputs, after.inputs]
  return (
    agedMs >= REFRESH_MS &&
    (differs(was.ready, is.ready) ||
      differs(was.unacked, is.unacked) ||
      differs(was.publishRate, is.publishRate) ||
      differs(was.serviceRate?.value, is.serviceRate?.value) ||
      was.serviceRate?.source !== is.serviceRate?.source)
  )
}

/**
 * The status to write: the one of this decision when there is news, else the one that is written already, untouched, so
 * that a steady pipeline costs no write. What is shown is always one decision whole, never a mix of two.
 */
export const scalingStatusOf = (
  { situation, verdict, message }: Decision,
  before: Partial<ScalingStatus> | undefined,
  nowMs: number,
): ScalingStatus => {
  const observedAt = `${new Date(nowMs).toISOString().slice(0, 19)}Z`
  const { desired, raw, stabilized, ...rest } = verdict
  const history = before?.history ?? []
  const from = before?.replicas?.desired ?? situation.replicas.current
  const entry = { at: observedAt, from, to: desired, reason: verdict.reason }
  const after: ScalingStatus = {
    ...situation,
    ...rest,
    message,
    observedAt,
    replicas: { ...situation.replicas, raw, stabilized, desired },
    history: from === desired ? history : [entry, ...history].slice(0, HISTORY),
  }
  const isWhole = before?.replicas !== undefined && before.inputs !== undefined && before.observedAt !== undefined
  return isWhole && !isNews(before as ScalingStatus, after) ? (before as ScalingStatus) : after
}

/** Makes the decision of a status again, by this block. */
export const replay = (status: ScalingStatus, scaling: Scaling): Verdict => {
  const { current, ready } = status.replicas
  return decide({ ...status, replicas: { current, ready } }, scaling)
}
