import { SCALING_DEFAULTS, type Scaling } from '#contract/scaling/block.ts'
import { seeded } from '../../../services/cli/track.ts'
import { quantile } from '../quantile.ts'
import { createKeda, type KedaSettings } from './keda.ts'
import { createOurs } from './ours.ts'
import { createWorld, type Scenario, type Totals, type World } from './world.ts'

type Scaler = { step: (world: World) => void }
export type Arm = { name: string; create: (scenario: Scenario, random: () => number) => Scaler }

/** A backlog shall be gone after half of the minute within which a message shall be stored. */
const DRAIN_SECONDS = 30

const keda =
  (more: Partial<KedaSettings>) =>
  (scenario: Scenario, random: () => number): Scaler =>
    createKeda(
      {
        pollingInterval: 30,
        cooldownPeriod: 300,
        value: 20,
        maxReplicaCount: scenario.maxReplicas,
        downStabilizationSeconds: 300,
        ...more,
      },
      random,
    )

const perSecond = ({ concurrency, serviceSeconds }: Scenario): number => concurrency / serviceSeconds

/** What was set by hand for the tuned KEDA: looks every 5 s, up in one step, two minutes of stabilization. */
const TUNED = { pollingInterval: 5, scaleUpPods: 100, downStabilizationSeconds: 120 }
/** Messages that one pod does in the drain time, whole ones: the best static value (AWS's backlog per instance). */
const handTuned = (scenario: Scenario): number =>
  Math.max(scenario.concurrency, Math.round(DRAIN_SECONDS * perSecond(scenario)))

const ours =
  (warm: boolean, more: Partial<Scaling> = {}) =>
  (scenario: Scenario, random: () => number): Scaler =>
    createOurs(
      {
        ...SCALING_DEFAULTS,
        maxReplicaCount: scenario.maxReplicas,
        slo: { targetDrainSeconds: DRAIN_SECONDS, targetUtilization: 0.75 },
        ...more,
      },
      scenario.concurrency,
      warm ? perSecond(scenario) : undefined,
      random,
    )

const { scaleUp, scaleDown } = SCALING_DEFAULTS.behavior
/** As many pods as the load needs and no more, with a queue before them, given back after 20 s. */
export const ECONOMY: Partial<Scaling> = {
  slo: { targetDrainSeconds: DRAIN_SECONDS, targetUtilization: 1 },
  triggers: [{ type: 'rabbitmq', metadata: { value: '20', excludeUnacknowledged: 'true' } }],
  behavior: {
    scaleUp,
    scaleDown: {
      ...scaleDown,
      stabilizationWindowSeconds: 20,
      policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }],
    },
  },
}

export const ARMS: readonly Arm[] = [
  { name: 'KEDA, defaults', create: keda({}) },
  { name: 'KEDA, tuned', create: keda(TUNED) },
  {
    name: 'KEDA, tuned, value by hand',
    create: (scenario, random) => keda({ ...TUNED, value: handTuned(scenario) })(scenario, random),
  },
  { name: 'ours, first contact', create: ours(false) },
  { name: 'ours', create: ours(true) },
  { name: 'ours, economy', create: ours(true, ECONOMY) },
]

export type Figures = {
  p50: number
  p95: number
  worst: number
  podSeconds: number
  flips: number
  writes: number
  redelivered: number
  left: number
}

/** One run; the seed decides the phases of all clocks, and how long each message and each start takes. */
export const simulate = (scenario: Scenario, arm: Arm, seed: number): Totals => {
  const random = seeded(seed)
  const world = createWorld(scenario, random)
  const scaler = arm.create(scenario, random)
  while (world.now() < scenario.seconds) {
    world.pass()
    scaler.step(world)
  }
  return world.totals()
}

/** The mean over runs whose clocks have other phases; of messages that are left at the end, the most. */
const figuresOf = (runs: readonly Totals[]): Figures => {
  const mean = (of: (run: Totals) => number): number => runs.reduce((sum, run) => sum + of(run), 0) / runs.length
  const sorted = runs.map(({ latencies }) => Float64Array.from(latencies).sort())
  const latency = (part: number): number =>
    sorted.reduce((sum, latencies) => sum + quantile(latencies, part), 0) / runs.length
  const tenth = (value: number): number => Math.round(value * 10) / 10
  return {
    p50: tenth(latency(0.5)),
    p95: tenth(latency(0.95)),
    worst: tenth(latency(1)),
    podSeconds: Math.round(mean(({ podSeconds }) => podSeconds)),
    flips: tenth(mean(({ flips }) => flips)),
    writes: tenth(mean(({ writes }) => writes)),
    redelivered: tenth(mean(({ redelivered }) => redelivered)),
    left: Math.max(...runs.map(({ left }) => left)),
  }
}

export const compare = (scenario: Scenario, arm: Arm): Figures =>
  figuresOf(Array.from({ length: scenario.runs }, (_, index) => simulate(scenario, arm, index + 1)))
