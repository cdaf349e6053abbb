import type { Failure } from './inspection.ts'

/** What a batch goes through, in order: signatures and digests, reading, asking Redis, raw bytes, signals. */
export const STAGES = ['verify', 'transform', 'dedupe', 'store_raw', 'store_signal'] as const
export type Stage = (typeof STAGES)[number]

/** The seed's four kinds of failure. */
export const FAILURE_STAGES = ['validation', 'authentication', 'processing', 'storage'] as const
export type FailureStage = (typeof FAILURE_STAGES)[number]

const BY_REASON: Record<Failure['reason'], FailureStage> = {
  auth_bad_signature: 'authentication',
  auth_unknown_key: 'authentication',
  schema_invalid: 'validation',
  body_too_large: 'validation',
  unsupported_version: 'validation',
  transform_failed: 'processing',
  delivery_limit: 'processing',
  storage_failed: 'storage',
  idempotency_conflict: 'storage',
}

/** At which kind of stage a message failed. */
export const stageOf = ({ reason }: Pick<Failure, 'reason'>): FailureStage => BY_REASON[reason]

/** When a stage was under way, on the batch's own clock in ms, and how long in sum. */
export type Lap = { startMs: number; endMs: number; tookMs: number }

/** A stopwatch for the stages of a batch; the stages of messages that take turns are summed. */
export const createLaps = (tick: () => number) => {
  const laps = new Map<Stage, Lap>()
  let last = tick()
  return {
    /** The stage that began with the end of the former ends now. */
    lap: (stage: Stage): void => {
      const now = tick()
      const lap = laps.get(stage)
      if (lap === undefined) laps.set(stage, { startMs: last, endMs: now, tookMs: now - last })
      else {
        lap.startMs = last
        lap.endMs = now
        lap.tookMs += now - last
      }
      last = now
    },
    /** The time since the last lap belongs to no stage: what was waited for was not one. */
    skip: (): void => {
      last = tick()
    },
    laps: laps as ReadonlyMap<Stage, Lap>,
  }
}

export type Laps = ReturnType<typeof createLaps>
