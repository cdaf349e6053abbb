import { createHash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Proxy as TcpProxy } from '../network/proxy.ts'
import type { Component, Process } from '../stand/service-process.ts'
import { expectFlat, type MemorySample, READABLE_MEMORY, readMemory } from './memory.ts'
import { print, type Sheet } from './oracle.ts'
import { type Stage, withStage } from './stage.ts'

/** Numbers from 0 (included) to 1 (excluded) that follow from a seed. */
const numbers = (seed: string): (() => number) => {
  let count = 0
  return () => createHash('sha256').update(`${seed} ${count++}`).digest().readUInt32BE() / 2 ** 32
}

type Disturbance = [what: string, disturb: (stage: Stage, elders: Process[]) => Promise<void>]

const restart =
  (component: Component): Disturbance[1] =>
  async (stage, elders) => {
    const young = stage.processes.find((one) => one.component === component && one.running() && !elders.includes(one))
    if (young !== undefined) await stage.kill(young)
    await stage.start(component)
  }

const whileDone = (begin: (stage: Stage) => void, ms: number, end: (stage: Stage) => void): Disturbance[1] => {
  return async (stage) => {
    begin(stage)
    await delay(ms)
    end(stage)
  }
}

const away = (proxy: TcpProxy): void => {
  proxy.refuse()
  proxy.reset()
}

const DISTURBANCES: Disturbance[] = [
  ['kill a producer', restart('producer')],
  ['kill a signals', restart('signals')],
  ["reset the producers' connections to the broker", async (stage) => stage.network.producer.reset()],
  ["reset signals' connections to the broker", async (stage) => stage.network.signals.reset()],
  [
    'the broker refuses connections',
    whileDone(
      ({ network }) => {
        away(network.producer)
        away(network.signals)
      },
      1_500,
      ({ network }) => {
        for (const proxy of [network.producer, network.signals]) proxy.admit()
      },
    ),
  ],
  [
    'the store refuses connections',
    whileDone(
      ({ network }) => away(network.store),
      2_000,
      ({ network }) => network.store.admit(),
    ),
  ],
  [
    'the store applies and does not answer',
    whileDone(
      ({ network }) => network.store.answers({ kind: 'swallow' }),
      400,
      ({ network }) => {
        network.store.reset()
        network.store.answers({ kind: 'pass' })
      },
    ),
  ],
  [
    'Redis is down',
    whileDone(
      ({ network }) => away(network.redis),
      2_000,
      ({ network }) => network.redis.admit(),
    ),
  ],
  [
    'Redis answers after 2 s',
    whileDone(
      ({ network }) => network.redis.answers({ kind: 'delay', ms: 2_000 }),
      2_500,
      ({ network }) => network.redis.answers({ kind: 'pass' }),
    ),
  ],
  ['Redis forgets everything', async (stage) => void (await stage.redis.flushdb())],
]

const RATE_PER_SECOND = 50
const SAMPLE_SECONDS = 5

const disturbFor = async (stage: Stage, seconds: number, random: () => number): Promise<Record<string, number>> => {
  stage.uncount()
  const env = { NODE_OPTIONS: READABLE_MEMORY }
  const elders = [await stage.start('producer', { env }), await stage.start('signals', { env })]
  for (const component of ['producer', 'signals'] as const) await stage.start(component)
  await Promise.all(elders.map((elder) => elder.ready()))
  const load = stage.load({ messages: Number.MAX_SAFE_INTEGER, ratePerSecond: RATE_PER_SECOND, patienceMs: 120_000 })
  const startedAt = performance.now()
  const elapsed = (): number => (performance.now() - startedAt) / 1000
  const seen = new Map(elders.map((elder): [Process, MemorySample[]] => [elder, []]))
  for (let sampledAt = 0; elapsed() < seconds; ) {
    await delay(500 + random() * 2_500)
    const [what, disturb] = DISTURBANCES[Math.floor(random() * DISTURBANCES.length)] as Disturbance
    console.error(`${elapsed().toFixed(1).padStart(7)} s  ${what}`)
    await disturb(stage, elders)
    if (elapsed() - sampledAt < SAMPLE_SECONDS) continue
    for (const [elder, samples] of seen) samples.push(await readMemory(elder))
    sampledAt = elapsed()
  }
  load.stop()
  await load.done
  return Object.fromEntries(
    [...seen].flatMap(([elder, samples]) => {
      const { held, resident } = expectFlat(stage, elder, samples)
      return [
        [`${elder.component}HeldGrowthMb`, held],
        [`${elder.component}ResidentGrowthMb`, resident],
      ]
    }),
  )
}

/**
 * Disturbs a pipeline under load in an order that follows from the seed, and judges the end by the oracle.
 * The same seed disturbs in the same order; what is in flight meanwhile is the machine's.
 * @throws Error with the sheet when a rule was broken
 */
export const soak = async (seconds: number, seed: string): Promise<object> => {
  console.error(`seed ${seed}`)
  let growth: Record<string, number> = {}
  const sheet: Sheet = await withStage({ name: 'soak', stuckMs: 20_000 }, async (stage) => {
    growth = await disturbFor(stage, seconds, numbers(seed))
  })
  console.error(print(`soak of ${seconds} s, seed ${seed}`, sheet))
  if (sheet.violations.length > 0) throw new Error(`${sheet.violations.length} violations with seed ${seed}`)
  return { seed, ...sheet, ...growth }
}
