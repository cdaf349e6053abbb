import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { must } from '../stand/condition.ts'
import type { Process } from '../stand/service-process.ts'
import type { Fault } from './fault.ts'
import { forge, publish } from './forgery.ts'
import { KILL_POINTS, type KillPoint } from './kill-points.ts'
import type { Stage } from './stage.ts'

/** Starts signals that dies at a point, and another as soon as it has. */
const killSignalsAt = async (stage: Stage, point: KillPoint, killAt: number): Promise<void> => {
  stage.uncount()
  const doomed = await stage.start('signals', { edits: KILL_POINTS[point], killAt })
  const load = stage.load({ messages: 400, ratePerSecond: 200 })
  const end = await Promise.race([doomed.ended, load.done.then(() => delay(30_000, 'nothing', { ref: false }))])
  stage.expect(end === 'SIGKILL', `expected signals to be killed, got ${end}`)
  await (await stage.start('signals')).ready()
}

const signalsKilled = (name: string, point: KillPoint, control: Fault['control']): Fault => ({
  name,
  what: `signals is killed when ${point.replace('signals ', 'it ')}`,
  expected: 'the broker delivers again; nothing is lost, nothing doubled',
  control,
  run: async (stage) => {
    await (await stage.start('producer')).ready()
    await killSignalsAt(stage, point, 3)
  },
})

/** Messages whose key signals does not have yet wait on the ladder; it is killed there, and has the key when it is back. */
const killAfterRetry = async (stage: Stage): Promise<void> => {
  stage.uncount()
  const key = randomBytes(32)
  await publish(
    stage,
    Array.from({ length: 60 }, () => forge(stage, { kid: 'p2', key })),
  )
  const doomed = await stage.start('signals', { edits: KILL_POINTS['signals published a retry'], killAt: 20 })
  const end = await Promise.race([doomed.ended, delay(60_000, 'nothing', { ref: false })])
  stage.expect(end === 'SIGKILL', `expected signals to be killed, got ${end}`)
  // Copies and originals together: one that came after the other was stored would be known to Redis, whatever its id.
  await must('the copies to be back beside their originals', 30_000, async () =>
    (await stage.depth(stage.names.queue)) > 60 ? true : undefined,
  )
  stage.setKey('signals', 'message-p2', key)
  await (await stage.start('signals')).ready()
}

const PRODUCER_KILLS = 100
/** A defect that loses a message at every kill needs no hundred. */
const CONTROL_KILLS = 8
const PRODUCER_POINTS = [
  'the producer published',
  'the producer sent',
  'the producer got the confirm',
] as const satisfies KillPoint[]

/** Two producers at a time, each killed at its third message or so, until 100 were; the last ones live. */
const killProducers = async (stage: Stage, wanted: number): Promise<void> => {
  stage.uncount()
  let kills = 0
  // As behind a Service: a producer gets requests once it is ready, and thus once it has Redis.
  const serving = new Set<Process>()
  await (await stage.start('signals')).ready()
  const line = async (): Promise<void> => {
    while (kills + 1 < wanted) {
      const point = PRODUCER_POINTS[kills % PRODUCER_POINTS.length] as KillPoint
      const doomed = await stage.start('producer', { edits: KILL_POINTS[point], killAt: 1 + (kills % 4) })
      await doomed.ready()
      serving.add(doomed)
      if ((await doomed.ended) === 'SIGKILL') kills++
      serving.delete(doomed)
    }
  }
  const load = stage.load({
    messages: wanted * 4,
    ratePerSecond: 30,
    patienceMs: 120_000,
    targets: () => [...serving].map(({ httpPort }) => ({ host: '127.0.0.1', port: httpPort })),
  })
  await Promise.race([Promise.all([line(), line()]), load.done])
  stage.expect(kills + 1 >= wanted, `expected ${wanted} kills, got ${kills}`)
  const last = await stage.start('producer')
  await last.ready()
  serving.add(last)
}

export const KILLS: Fault[] = [
  {
    name: 'producer-killed',
    what: `the producer is killed ${PRODUCER_KILLS} times between publish and confirm, and between confirm and answer`,
    expected: 'the device sends again with the same nonce, and one is stored',
    control: { sabotage: 'nonce-before-confirm', of: 'producer', breaks: /^I1 .* is lost/ },
    run: (stage, controlled) => killProducers(stage, controlled ? CONTROL_KILLS : PRODUCER_KILLS),
  },
  signalsKilled('killed-after-claim', 'signals asked Redis', {
    sabotage: 'ack-before-write',
    of: 'signals',
    breaks: /^I1 .* is lost/,
  }),
  signalsKilled('killed-after-chunks', 'signals wrote the chunks', {
    sabotage: 'redis-before-write',
    of: 'signals',
    breaks: /^I1 .* is lost/,
  }),
  signalsKilled('killed-after-files', 'signals wrote the files', {
    sabotage: 'ack-before-write',
    of: 'signals',
    breaks: /^I1 .* is lost/,
  }),
  signalsKilled('killed-after-signals', 'signals wrote the signals', {
    sabotage: 'random-ids',
    of: 'signals',
    breaks: /^I2 .* is stored 2 times/,
  }),
  signalsKilled('killed-before-ack', 'signals was about to ack', {
    sabotage: 'random-ids',
    of: 'signals',
    breaks: /^I2 .* is stored 2 times/,
  }),
  {
    name: 'killed-after-retry',
    what: 'signals is killed when it published retries that it has not acknowledged yet',
    expected: 'copy and original are stored once; nothing is lost, nothing doubled',
    control: { sabotage: 'random-ids', of: 'signals', breaks: /^I2 .* is stored 2 times/ },
    run: killAfterRetry,
  },
]
