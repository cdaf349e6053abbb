import { type Job, perSecondOf } from './jobs.ts'
import type { Profile } from './traffic.ts'

/** One of those that are compared: a pipeline, and who scales it. */
export type Arm = { name: string; title: string; scaling: { provider: 'Native' | 'KEDA' } & Record<string, unknown> }

export type Scenario = Profile & {
  /** In tables and in the name of a picture. */
  name: string
  /** Seconds from the start, from and to, between which the broker's management API answers nothing. */
  outage?: readonly [from: number, to: number]
  /** Seconds from the start at which those who decide are killed. */
  killAt?: number
}

/** Pipelines of their own, new for each comparison, that meet its scenarios one after the other. */
export type Comparison = { arms: readonly Arm[]; job: Job; scenarios: readonly Scenario[] }

const DRAIN_SECONDS = 60

/** Ten at once, two seconds each: five a second of one pod, as in the model (`bench/scaling/traces.ts`). */
const SHORT: Job = { prefetch: 10, batch: 5, ms: 2_000 }
const LONG: Job = { prefetch: 1, batch: 1, ms: 60_000 }
/** Each arm has a limit of its own, so that the other does not suffer from it. */
const LIMITED: Job = { ...SHORT, sharedPerSecond: 12 }

/**
 * The same for both: they differ in who decides. KEDA ends all pods at once when its cooldown is over, whatever the
 * policies say, so these let ours do the same.
 */
const common = (maxReplicaCount: number, stabilizationWindowSeconds = 30) => ({
  maxReplicaCount,
  pollingInterval: 5,
  cooldownPeriod: 30,
  slo: { targetDrainSeconds: DRAIN_SECONDS },
  behavior: {
    scaleDown: { stabilizationWindowSeconds, policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }] },
  },
})

/** The value is the best there is: what one pod does in the drain time. */
const trigger = (job: Job, more: object = {}) => ({
  type: 'rabbitmq',
  metadata: { mode: 'QueueLength', value: String(DRAIN_SECONDS * perSecondOf(job)), ...more },
})

const ours = (most: number, more: object = {}): Arm => ({
  name: 'bench-ours',
  title: 'ours',
  scaling: { ...common(most), provider: 'Native', ...more },
})

/** Without policies the ScaledObject lets the HPA grow to the most in one step. */
const keda = (most: number, job: Job): Arm => ({
  name: 'bench-keda',
  title: 'KEDA, tuned',
  scaling: { ...common(most), provider: 'KEDA', triggers: [trigger(job)] },
})

const economy = (most: number): Arm => ({
  name: 'bench-ours',
  title: 'ours, economy',
  scaling: {
    ...common(most, 20),
    provider: 'Native',
    slo: { targetDrainSeconds: DRAIN_SECONDS, targetUtilization: 1 },
    triggers: [trigger(SHORT, { excludeUnacknowledged: 'true' })],
  },
})

const burst = (name: string, count: number): Scenario => ({ name, burst: count, seconds: 1, rate: () => 0 })
const steady = (name: string, perSecond: number, seconds: number): Scenario => ({
  name,
  seconds,
  rate: () => perSecond,
})
const sawtooth = (name: string, from: number, to: number): Scenario => ({
  name,
  seconds: 180,
  rate: (second) => from + ((to - from) * (second % 90)) / 90,
})

/** 40 pods do not start in time on two slow cores; where the number is not the point, there are 20. */
const [MANY, FEW] = [20, 10]

/** By what `--only` calls them, in the order in which they run. */
export const COMPARISONS: Readonly<Record<string, Comparison>> = {
  defaults: {
    arms: [ours(MANY), keda(MANY, SHORT)],
    job: SHORT,
    // The first is met without knowledge of what a pod can do; the others with it.
    scenarios: [
      burst('burst of 6,000, first contact', 6_000),
      burst('burst of 6,000', 6_000),
      steady('step to 60/s for 3 min', 60, 180),
      sawtooth('sawtooth 10 to 60/s', 10, 60),
    ],
  },
  economy: {
    arms: [economy(FEW), keda(FEW, SHORT)],
    job: SHORT,
    scenarios: [steady('economy, step to 30/s for 2.5 min', 30, 150), sawtooth('economy, sawtooth 5 to 30/s', 5, 30)],
  },
  limit: {
    // At first contact nobody can know that more pods would bring nothing: one pod shows before what it does. By the
    // default value ours begins with eight, and these meet the limit at once.
    arms: [ours(FEW, { triggers: [trigger(LIMITED)] }), keda(FEW, LIMITED)],
    job: LIMITED,
    scenarios: [burst('150 to learn from', 150), steady('18/s for 2 min, 12/s behind the pods', 18, 120)],
  },
  'long-jobs': {
    arms: [ours(FEW), keda(FEW, LONG)],
    job: LONG,
    scenarios: [burst('20 jobs of 60 s', 20)],
  },
  outage: {
    arms: [ours(FEW), keda(FEW, SHORT)],
    job: SHORT,
    scenarios: [{ ...steady('no answer for 2 min at 20/s', 20, 180), outage: [45, 165] }],
  },
  restart: {
    arms: [ours(FEW), keda(FEW, SHORT)],
    job: SHORT,
    // Before either has asked for a pod.
    scenarios: [{ ...burst('killed in a burst of 1,500', 1_500), killAt: 1 }],
  },
  alone: { arms: [ours(MANY)], job: SHORT, scenarios: [burst('burst of 6,000, alone', 6_000)] },
  'keda-alone': {
    arms: [keda(MANY, SHORT)],
    job: SHORT,
    scenarios: [burst('burst of 6,000, KEDA alone', 6_000)],
  },
}
