import { describe, expect, it } from 'vitest'
import { seeded } from '../../../services/cli/track.ts'
import { ARMS, type Arm, compare, simulate } from './compare.ts'
import { createKeda, type KedaSettings } from './keda.ts'
import { SCENARIOS } from './traces.ts'
import { createWorld, type Scenario, type World } from './world.ts'

const quiet: Scenario = {
  name: 'quiet',
  seconds: 900,
  arrivals: () => 0,
  concurrency: 10,
  serviceSeconds: 2,
  maxReplicas: 50,
  runs: 1,
}
const burst: Scenario = { ...quiet, arrivals: (second) => (second === 0 ? 6000 : 0), maxReplicas: 20 }
const scenarioOf = (name: string): Scenario => SCENARIOS.find((scenario) => scenario.name.startsWith(name)) as Scenario
const armOf = (name: string): Arm => ARMS.find((arm) => arm.name === name) as Arm

const passUntil = (world: World, seconds: number, each: () => void = () => undefined): void => {
  while (world.now() < seconds) {
    world.pass()
    each()
  }
}

describe('the world', () => {
  it('loses no message and makes none', () => {
    const totals = simulate(scenarioOf('step'), armOf('KEDA, defaults'), 3)
    expect(totals.latencies.length + totals.left).toBe(60_000)
  })
  it('a pod does what its places and the time of a message allow', () => {
    const world = createWorld(burst, seeded(1))
    world.scale(4)
    passUntil(world, 110)
    expect(world.totals().latencies.length / 100).toBeGreaterThan(19)
    expect(world.totals().latencies.length / 100).toBeLessThan(21)
  })
  it('all pods together do no more than what is behind them', () => {
    const world = createWorld({ ...burst, downstreamPerSecond: 30 }, seeded(1))
    world.scale(20)
    passUntil(world, 110)
    expect(world.totals().latencies.length).toBeLessThanOrEqual(30 * 110)
    expect(world.totals().latencies.length).toBeGreaterThan(30 * 95)
  })
  it('a message that a pod has not finished 30 s after its end goes back', () => {
    const world = createWorld({ ...burst, serviceSeconds: 300, concurrency: 1 }, seeded(1))
    world.scale(3)
    passUntil(world, 60, () => world.now() === 20 && world.scale(1))
    expect(world.totals().redelivered).toBe(2)
  })
  it('shows the queue as it was when the broker last told', () => {
    const world = createWorld(burst, seeded(1))
    const seen = new Set<number>()
    passUntil(world, 60, () => {
      const look = world.look()
      if (look !== undefined && look !== 'blank') seen.add(look.atSeconds)
    })
    expect(seen.size).toBe(13)
  })
  it('is the same again with the same seed', () =>
    expect(simulate(burst, armOf('ours'), 5)).toEqual(simulate(burst, armOf('ours'), 5)))
})

/** Seconds until KEDA wants so many pods for the burst, by the phases of its clocks. */
const reactions = (settings: Partial<KedaSettings>, replicas: number): number[] =>
  Array.from({ length: 40 }, (_, seed) => {
    const random = seeded(seed)
    const world = createWorld(burst, random)
    const defaults = { pollingInterval: 30, cooldownPeriod: 300, value: 20, downStabilizationSeconds: 300 }
    const keda = createKeda({ ...defaults, maxReplicaCount: burst.maxReplicas, ...settings }, random)
    let at = Number.POSITIVE_INFINITY
    passUntil(world, 200, () => {
      keda.step(world)
      if (world.wanted() >= replicas) at = Math.min(at, world.now())
    })
    return at
  })
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length

describe('the model of KEDA and the HPA', () => {
  // autoscaling/v2 without behavior: 1, 4, 8, 16, 20 in syncs of 15 s. A real KEDA 2.20.2 had twenty Ready after 56.5 and
  // 66.1 s, and after 18.9 and 22.2 s when it was tuned.
  it.each([
    ['one pod by its defaults', {}, 1, 12, 22, 36],
    ['twenty pods by its defaults', {}, 20, 58, 80, 102],
    ['twenty pods when it is tuned', { pollingInterval: 5, scaleUpPods: 100 }, 20, 8, 16, 26],
  ])('wants %s as late as the real one', (_, settings, replicas, low, high, worst) => {
    const seconds = reactions(settings, replicas)
    expect(mean(seconds)).toBeGreaterThan(low)
    expect(mean(seconds)).toBeLessThan(high)
    expect(Math.max(...seconds)).toBeLessThan(worst)
  })
})

describe('against a KEDA whose value was tuned by hand', () => {
  it.each(['step', 'sawtooth', '90/s, 60/s behind'])('%s: sooner, and with no more pods', (name) => {
    const scenario = { ...scenarioOf(name), runs: 2 }
    const [keda, ours] = ['KEDA, tuned, value by hand', 'ours, economy'].map((arm) => compare(scenario, armOf(arm)))
    expect(ours?.p95).toBeLessThan(keda?.p95 ?? 0)
    expect(ours?.podSeconds).toBeLessThanOrEqual(keda?.podSeconds ?? 0)
  })
  it('pods that stall are no limit behind them, and no reason to end them', () => {
    const scenario = { ...scenarioOf('pods stall'), runs: 5 }
    const [keda, ours] = ['KEDA, tuned, value by hand', 'ours, economy'].map((arm) => compare(scenario, armOf(arm)))
    expect(ours?.p95).toBeLessThan(keda?.p95 ?? 0)
    expect(ours?.redelivered).toBe(0)
  })
  it('an answer without figures is no reason to end pods', () => {
    const scenario = { ...scenarioOf('answers without'), runs: 1 }
    expect(compare(scenario, armOf('KEDA, tuned')).worst).toBeGreaterThan(100)
    expect(compare(scenario, armOf('ours')).worst).toBeLessThan(30)
  })
})
