import { within } from '../stand/condition.ts'
import type { Process } from '../stand/service-process.ts'
import { declare } from '../stand/topology.ts'
import type { Fault } from './fault.ts'
import { forge, publish } from './forgery.ts'
import type { Load } from './load.ts'
import type { Stage, StartOptions } from './stage.ts'

const LOST = /^I1 .* is lost/

/** Starts both services and waits until they are ready. */
export const startBoth = async (
  stage: Stage,
  ofProducer: StartOptions = {},
): Promise<{ producer: Process; signals: Process }> => {
  const [producer, signals] = await Promise.all([stage.start('producer', ofProducer), stage.start('signals')])
  await Promise.all([producer.ready(), signals.ready()])
  return { producer, signals }
}

const answersOf = (load: Load, status: number): number => load.answers.get(status) ?? 0

/** Waits until a load has been refused well, or has ended without: with a defect it is never refused. */
const refused = (load: Load): Promise<unknown> =>
  Promise.race([load.done, within(30_000, async () => (answersOf(load, 503) > 50 ? true : undefined))])

/** Waits until signals has stored everything that a load was told is accepted. */
const allStored = (stage: Stage, load: Load): Promise<true | undefined> =>
  within(60_000, async () =>
    (await stage.db.collection('signals').countDocuments()) >= load.accepted() ? true : undefined,
  )

/** The broker without one binding. */
const unbind = async (stage: Stage, queue: string): Promise<void> => {
  const channel = await (await stage.broker()).createChannel()
  for (const binding of stage.topology.bindings)
    if (binding.queue === queue) await channel.unbindQueue(queue, binding.exchange, binding.routingKey)
  await channel.close()
}

const SET_UP_BYTES = [20, 500, 1000]

const resetDuringSetUp = async (stage: Stage): Promise<void> => {
  stage.uncount()
  const { producer, signals } = await startBoth(stage)
  const load = stage.load({ messages: 300, ratePerSecond: 50, patienceMs: 20_000 })
  // The set-up of a connection sends about 1.2 KB: each of these ends another part of it.
  for (const clientBytes of SET_UP_BYTES)
    for (const [proxy, process] of [
      [stage.network.producer, producer],
      [stage.network.signals, signals],
    ] as const) {
      proxy.resetAfter(clientBytes)
      proxy.reset()
      await within(5_000, async () => ((await process.isReady()) ? undefined : true))
      const ready = await within(15_000, async () => ((await process.isReady()) ? true : undefined))
      stage.expect(process.running(), `${process.component} ended after a reset at ${clientBytes} bytes`)
      stage.expect(ready === true, `${process.component} was not ready 15 s after a reset at ${clientBytes} bytes`)
      if (ready !== true) return load.close()
    }
  await load.done
}

const HALF_OPEN_LIMIT_MS = 25_000

const halfOpen = async (stage: Stage): Promise<void> => {
  stage.uncount()
  const { producer, signals } = await startBoth(stage)
  const load = stage.load({ messages: 600, ratePerSecond: 20, patienceMs: 60_000 })
  await within(30_000, async () => (load.accepted() > 20 ? true : undefined))
  const both = [stage.network.producer, stage.network.signals]
  for (const proxy of both) for (const way of ['requests', 'answers'] as const) proxy[way]({ kind: 'swallow' })
  const startedAt = performance.now()
  const detected = await within(HALF_OPEN_LIMIT_MS, async () =>
    (await producer.isReady()) || (await signals.isReady()) ? undefined : true,
  )
  stage.expect(detected === true, `a half-open connection was not noticed in ${HALF_OPEN_LIMIT_MS} ms`)
  for (const proxy of both) {
    for (const way of ['requests', 'answers'] as const) proxy[way]({ kind: 'pass' })
    proxy.reset() // what is half-open stays so; new connections pass
  }
  const ready = await within(30_000, async () => ((await producer.isReady()) && (await signals.isReady())) || undefined)
  stage.expect(ready === true, 'not ready 30 s after the network was back')
  stage.expect(performance.now() - startedAt < 60_000, 'it took more than 60 s')
  await load.done
}

const queueFull = async (stage: Stage): Promise<void> => {
  const producer = await stage.start('producer')
  await producer.ready()
  const load = stage.load({ messages: 200, ratePerSecond: 100 })
  await refused(load)
  stage.expect(answersOf(load, 503) > 50, 'a full queue was not answered with 503')
  await (await stage.start('signals')).ready()
  await load.done
}

const retryQueueDeleted = async (stage: Stage): Promise<void> => {
  await startBoth(stage)
  const channel = await (await stage.broker()).createChannel()
  await channel.deleteQueue(stage.names.retryQueues[0] as string)
  await channel.close()
  await publish(
    stage,
    Array.from({ length: 20 }, () => forge(stage, { kid: 'p9', expect: 'auth_unknown_key' })),
  )
  const load = stage.load({ messages: 200, ratePerSecond: 100 })
  await load.done
  stage.expect((await allStored(stage, load)) === true, 'messages that need no retry were held up')
  await declare(await stage.broker(), stage.topology)
}

const deadLetterBindingRemoved = async (stage: Stage): Promise<void> => {
  await startBoth(stage)
  await unbind(stage, stage.names.deadLetterQueue)
  await publish(
    stage,
    Array.from({ length: 20 }, () => forge(stage, { key: Buffer.alloc(32), expect: 'auth_bad_signature' })),
  )
  const load = stage.load({ messages: 200, ratePerSecond: 100 })
  await load.done
  stage.expect((await allStored(stage, load)) === true, 'sound messages were held up')
  await declare(await stage.broker(), stage.topology)
}

/** Moves what the alternate exchange caught back, as an operator of the pipeline would. */
const moveUnrouted = async (stage: Stage): Promise<void> => {
  const channel = await (await stage.broker()).createConfirmChannel()
  for (;;) {
    const message = await channel.get(stage.names.unrouted)
    if (message === false) break
    const { messageId, contentType, timestamp, headers } = message.properties
    const properties = { messageId, contentType, timestamp, headers, persistent: true, mandatory: true }
    channel.publish(stage.names.exchange, stage.names.routingKey, message.content, properties)
    await channel.waitForConfirms()
    channel.ack(message)
  }
  await channel.close()
}

const bindingRemoved = async (stage: Stage): Promise<void> => {
  await startBoth(stage)
  await unbind(stage, stage.names.queue)
  const caught = stage.load({ messages: 30, ratePerSecond: 100 })
  await caught.done
  const waiting = await stage.depth(stage.names.unrouted)
  stage.expect(waiting === 30, `expected 30 messages in ${stage.names.unrouted}, got ${waiting}`)
  await unbind(stage, stage.names.unrouted)
  const unrouted = stage.load({ messages: 100, ratePerSecond: 100 })
  await refused(unrouted)
  stage.expect(answersOf(unrouted, 503) > 50, 'a message without a queue was not answered with 503')
  await declare(await stage.broker(), stage.topology)
  await unrouted.done
  await moveUnrouted(stage)
}

export const BROKER: Fault[] = [
  {
    name: 'reset-in-setup',
    what: `the connection to the broker is reset at ${SET_UP_BYTES.length} points of its set-up`,
    expected: 'a new connection is made, the process lives and is ready again in 15 s',
    control: { sabotage: 'no-reconnect', of: 'producer', breaks: /^fault: producer was not ready/ },
    run: resetDuringSetUp,
  },
  {
    name: 'half-open',
    what: 'the connections to the broker are half-open: nothing arrives and nothing ends',
    expected: 'noticed in 25 s; ready again when the network is back',
    control: { sabotage: 'no-watchdog', of: 'signals', breaks: /^fault: a half-open connection was not noticed/ },
    run: halfOpen,
  },
  {
    name: 'queue-full',
    what: 'the main queue is full',
    expected: '503 and never 202; all arrives when there is room',
    options: { maxLengthBytes: 200_000 },
    control: { sabotage: 'accept-before-confirm', of: 'producer', breaks: LOST },
    run: queueFull,
  },
  {
    name: 'retry-queue-deleted',
    what: 'a retry queue is deleted while messages need it',
    expected: 'they stay on the main queue, the others flow; with the queue back the ladder is climbed',
    control: { sabotage: 'no-mandatory', of: 'signals', breaks: LOST },
    run: retryQueueDeleted,
  },
  {
    name: 'binding-removed',
    what: "the main queue's binding is removed, and then that of the unrouted queue as well",
    expected: 'the first leaves the messages in the unrouted queue, the second is answered with 503',
    control: { sabotage: 'no-mandatory', of: 'producer', breaks: LOST },
    run: bindingRemoved,
  },
  {
    name: 'dead-letter-binding-removed',
    what: "the dead-letter queue's binding is removed while messages are dead-lettered",
    expected: 'they stay on the main queue, the others flow; with the binding back they arrive',
    control: { sabotage: 'no-mandatory', of: 'signals', breaks: LOST },
    run: deadLetterBindingRemoved,
  },
]
