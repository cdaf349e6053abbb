import { must } from '../stand/condition.ts'
import { startBoth } from './broker.ts'
import type { Fault } from './fault.ts'
import { forge, publish } from './forgery.ts'
import type { Stage } from './stage.ts'

const MESSAGES = 400
const RATE = 100

/** Sends while Redis is disturbed; at a fixed rate the whole may take little longer than without. */
const without = async (stage: Stage, disturb: () => void): Promise<void> => {
  const { producer, signals } = await startBoth(stage)
  disturb()
  const startedAt = performance.now()
  const load = stage.load({ messages: MESSAGES, ratePerSecond: RATE })
  await load.done
  const seconds = (performance.now() - startedAt) / 1000
  const most = (MESSAGES / RATE) * 1.3
  stage.expect(seconds < most, `the load took ${seconds.toFixed(1)} s instead of ${MESSAGES / RATE}`)
  const bypassed = [
    await producer.metric('xray_nonce_bypass_total'),
    await signals.metric('xray_idempotency_bypass_total'),
  ]
  stage.expect(
    bypassed.every((count) => count > 0),
    `expected both processes to count that they went without Redis, got ${bypassed}`,
  )
}

const away = (stage: Stage): Promise<void> =>
  without(stage, () => {
    stage.network.redis.refuse()
    stage.network.redis.reset()
  })

const slow = (stage: Stage): Promise<void> =>
  without(stage, () => stage.network.redis.answers({ kind: 'delay', ms: 2_000 }))

const flushed = async (stage: Stage): Promise<void> => {
  await stage.start('signals').then((signals) => signals.ready())
  const messages = Array.from({ length: 100 }, () => forge(stage))
  await publish(stage, messages)
  await must('the messages to be stored', 60_000, async () =>
    (await stage.db.collection('signals').countDocuments()) >= messages.length ? true : undefined,
  )
  await stage.redis.flushdb()
  await publish(stage, messages)
}

export const CACHE: Fault[] = [
  {
    name: 'redis-away',
    what: 'Redis is down',
    expected: 'as fast as with it, nothing lost or doubled, and counted',
    control: { sabotage: 'redis-decides', of: 'signals', breaks: /^I1 .* is lost/ },
    run: away,
  },
  {
    name: 'redis-slow',
    what: 'Redis answers after 2 s',
    expected: 'as fast as with it, nothing lost or doubled, and counted',
    control: { sabotage: 'redis-decides', of: 'signals', breaks: /^I1 .* is lost/ },
    run: slow,
  },
  {
    name: 'redis-flushed',
    what: 'Redis forgets everything, and all messages are delivered again',
    expected: 'the store knows them',
    control: { sabotage: 'random-ids', of: 'signals', breaks: /^I2 .* is stored 2 times/ },
    run: flushed,
  },
]
