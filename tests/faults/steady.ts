import { must } from '../stand/condition.ts'
import type { Process } from '../stand/service-process.ts'
import type { Fault } from './fault.ts'
import { expectFlat, type MemorySample, READABLE_MEMORY, readMemory } from './memory.ts'
import type { Stage } from './stage.ts'

const RATE_PER_SECOND = 100
const SAMPLES = 18
/** Messages, not seconds, lie between two samples: what a leak holds must not depend on how busy the machine is. */
const MESSAGES_PER_SAMPLE = 250
const SAMPLE_LIMIT_MS = 60_000
/** A connection that lives for less than 10 s makes its process wait longer before the next. */
const SAMPLES_PER_CONNECTION = 5

const cutAgainAndAgain = async (stage: Stage): Promise<void> => {
  stage.uncount()
  const env = { NODE_OPTIONS: READABLE_MEMORY }
  const both = [await stage.start('producer', { env }), await stage.start('signals', { env })]
  await Promise.all(both.map((one) => one.ready()))
  const load = stage.load({ messages: Number.MAX_SAFE_INTEGER, ratePerSecond: RATE_PER_SECOND, patienceMs: 30_000 })
  const seen = new Map(both.map((one): [Process, MemorySample[]] => [one, []]))
  for (let count = 1; count <= SAMPLES; count++) {
    await must(`${count * MESSAGES_PER_SAMPLE} messages to be accepted`, SAMPLE_LIMIT_MS, async () =>
      load.accepted() >= count * MESSAGES_PER_SAMPLE ? true : undefined,
    )
    for (const [one, samples] of seen) samples.push(await readMemory(one))
    if (count % SAMPLES_PER_CONNECTION > 0) continue
    for (const proxy of [stage.network.producer, stage.network.signals]) proxy.reset()
  }
  load.stop()
  await load.done
  for (const [one, samples] of seen) expectFlat(stage, one, samples)
}

/** What goes on for long rather than goes wrong. */
export const STEADY: Fault[] = [
  {
    name: 'steady-memory',
    what: `${SAMPLES * MESSAGES_PER_SAMPLE} messages, the connections to the broker cut again and again`,
    expected: 'no process holds more at the end than before',
    control: { sabotage: 'keeps-messages', of: 'producer', breaks: /^fault: producer holds .* MB more than before/ },
    run: cutAgainAndAgain,
  },
]
