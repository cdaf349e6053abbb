import type { Counter } from 'prom-client'
import type { TopologyNames } from '#contract/topology.ts'
import { superviseLink } from '#runtime/amqp.ts'
import { createBatcher } from '#runtime/batcher.ts'
import { createConsumer, type Delivery, type Hold, settle } from '#runtime/consumer.ts'
import { archive, type DeadLetters } from '#runtime/dead-letter-store.ts'
import type { Logger } from '#runtime/log.ts'
import type { Ending } from '#runtime/shut-down.ts'
import { archiveBatch } from './archiving.ts'
import { createOutage } from './outage.ts'

export type ArchiverOptions = {
  uri: string
  vhost: string
  name: string
  names: TopologyNames
  letters: DeadLetters
  alive: () => Promise<boolean>
  now: () => number
  delay: (ms: number) => Promise<void>
  archived: Counter<'reason'>
  log: Logger
}

export type Archiver = {
  pause: (why: Hold) => Promise<void>
  resume: (why: Hold) => Promise<void>
  /** Resolves when what was taken is archived and the broker has heard of it. */
  finish: () => Promise<void>
  /** Connects to the broker; returns what must be ended. */
  start: () => Ending[]
}

/**
 * Of each of two queues. On a broker with RabbitMQ's own default a forged message has up to 16 MiB, and the pod's limit
 * holds these and what copies them.
 */
const PREFETCH = 5
/** Whatever was delivered is in some batch, so that an outage gives all of it back. */
const BATCH = { items: 2 * PREFETCH, bytes: 32 * 2 ** 20, lingerMs: 5, inFlight: 2 * PREFETCH }
const WAIT_MS = 1_000

/**
 * Moves dead letters and parked ones from their queues into the store, on a connection of its own: a message that no
 * client can read ends the connection that it comes on, and recordings must go on.
 */
export const createArchiver = (options: ArchiverOptions): Archiver => {
  const { names, letters, alive, now, delay, archived, log } = options
  const take = (delivery: Delivery) => batcher.add(delivery, delivery.message.content.length)
  const consumers = [names.deadLetterQueue, names.parkedQueue].map((queue) =>
    createConsumer(queue, PREFETCH, take, { firstAlone: true }),
  )
  const all = async (act: 'pause' | 'resume', why: Hold): Promise<void> =>
    void (await Promise.all(consumers.map((consumer) => consumer[act](why))))
  const outage = createOutage({
    // A store that answers and takes nothing, for want of disk, is not asked without a pause either.
    alive: async () => {
      await delay(WAIT_MS)
      return alive()
    },
    pause: () => all('pause', 'outage'),
    resume: () => all('resume', 'outage'),
    wait: async () => undefined,
    log,
  })
  const context = {
    parkedQueue: names.parkedQueue,
    archive: (documents: Parameters<typeof archive>[1]) => archive(letters, documents),
    alive,
    outage: outage.wait,
    wait: () => delay(WAIT_MS),
    now,
    archived: (reason: string) => archived.inc({ reason }),
    refused: (error: Error, messageId: string) =>
      log.error({ err: error, messageId }, 'the store refuses a dead letter'),
  }
  const batcher = createBatcher<Delivery>(BATCH, (deliveries) =>
    archiveBatch(context, deliveries).catch(async (error: Error) => {
      log.error({ err: error }, 'archiving failed; the dead letters are given back to their queue')
      await delay(WAIT_MS)
      for (const delivery of deliveries) settle(delivery, 'blame')
    }),
  )
  return {
    pause: (why) => all('pause', why),
    resume: (why) => all('resume', why),
    finish: async () => {
      await batcher.drain()
      await Promise.all(consumers.map((consumer) => consumer.heard()))
    },
    start: () => {
      const link = superviseLink({
        uri: options.uri,
        vhost: options.vhost,
        name: options.name,
        queue: names.deadLetterQueue,
        log,
        setUp: async (channel) => {
          for (const consumer of consumers) await consumer.setUp(channel)
        },
      })
      return [
        ['stop archiving', () => all('pause', 'end')],
        ['finish what is archived', batcher.drain],
        ['leave the dead letters', link.close],
      ]
    },
  }
}
