import { DRAINED_PATH } from '#contract/drain.ts'
import { superviseLink } from '#runtime/amqp.ts'
import { createBatcher } from '#runtime/batcher.ts'
import { createConsumer, type Delivery, settle } from '#runtime/consumer.ts'
import { timeCommands, timedRedis } from '#runtime/database-metrics.ts'
import { deadLettersOf, ensureDeadLetterIndexes } from '#runtime/dead-letter-store.ts'
import { isAskedToDrain } from '#runtime/drain-file.ts'
import { createIdempotency } from '#runtime/idempotency.ts'
import { watchKeys } from '#runtime/keys.ts'
import type { Logger } from '#runtime/log.ts'
import { namesOf } from '#runtime/pipeline-env.ts'
import { closeServer, serveProbes } from '#runtime/probe.ts'
import { createPublisher } from '#runtime/publisher.ts'
import { openRedis } from '#runtime/redis.ts'
import { ensureRetention, sweepExpired } from '#runtime/retention.ts'
import type { Ending } from '#runtime/shut-down.ts'
import { ensureIndexes, openStore, storeBatch } from '#runtime/signal-store.ts'
import { connectStore, pingStore } from '#runtime/store-connection.ts'
import { takesWrites } from '#runtime/store-probe.ts'
import { assertTopology } from '#runtime/topology-check.ts'
import type { Tracing } from '#runtime/tracing.ts'
import { createArchiver } from './archiver.ts'
import { createBatchWatches } from './batch-watch.ts'
import type { Config } from './config.ts'
import { createDrain } from './drain.ts'
import { type HandlingContext, handleBatch } from './handling.ts'
import { createMetrics } from './metrics.ts'
import { createOutage } from './outage.ts'
import { createProcessSpans } from './process-span.ts'

export type World = {
  now: () => number
  /** A clock in ms that is finer and does not go back. */
  tick: () => number
  random: () => number
  newId: () => string
  delay: (ms: number) => Promise<void>
  every: (ms: number, run: () => void) => () => void
}

const BATCH_BYTES = 2 * 2 ** 20
const BATCHES_IN_FLIGHT = 2
const PROBE_MS = 1_000
const DRAIN_LOOK_MS = 500
/** As often as a signal's files may outlive it. */
const SWEEP_MS = 3_600_000

/** Starts signals: the store's indexes first, then it takes messages. Publishes on a connection of its own. */
export const startSignals =
  ({ now, tick, random, newId, delay, every }: World) =>
  async (config: Config, log: Logger, tracing?: Tracing): Promise<Ending[]> => {
    let inFlight = 0
    const metrics = createMetrics(config, () => inFlight)
    const names = namesOf(config)
    const keys = watchKeys(config.KEYS_DIR, log)
    const redis = openRedis(config, 'signals', log)
    const store = openStore(config.MONGODB_URI, config.MONGODB_DATABASE, 'xray-signals')
    timeCommands(store.client, metrics.database)
    const alive = () =>
      pingStore(store).then(
        () => takesWrites(store.db),
        () => false,
      )
    const address = { uri: config.AMQP_URI, vhost: config.AMQP_VHOST, queue: names.queue, log }

    const take = (delivery: Delivery) => {
      inFlight++
      batcher.add(delivery, delivery.message.content.length)
    }
    const consumer = createConsumer(names.queue, config.PREFETCH, take, { firstAlone: true })
    const outage = createOutage({
      alive,
      pause: () => consumer.pause('outage'),
      resume: () => consumer.resume('outage'),
      wait: () => delay(PROBE_MS),
      log,
    })
    const publisher = createPublisher(() => publishing)
    const publishing = superviseLink({
      ...address,
      name: `${config.PIPELINE_NAME}-signals-publish`,
      setUp: async (channel) => publisher.observe(channel),
    })
    const spans = tracing && createProcessSpans(tracing, names.queue, config.MONGODB_DATABASE)
    const context: HandlingContext = {
      messageKeys: () => keys.current().messages,
      idempotency: createIdempotency(redis, newId(), metrics.bypassed, timedRedis(metrics.database)),
      publisher,
      names,
      retry: { maxRetries: config.MAX_RETRIES, delaysMs: config.RETRY_DELAYS_MS, jitterMs: config.RETRY_JITTER_MS },
      now,
      random,
      alive,
      outage: outage.wait,
      pause: () => delay(PROBE_MS),
      watch: createBatchWatches({ metrics, spans, log, now, tick }),
      store: (entries, lap) => storeBatch(store, entries, new Date(now()), lap),
    }
    const limits = {
      items: config.BATCH_SIZE,
      bytes: BATCH_BYTES,
      lingerMs: config.BATCH_LINGER_MS,
      inFlight: BATCHES_IN_FLIGHT,
    }
    const batcher = createBatcher<Delivery>(limits, (deliveries) =>
      handleBatch(context, deliveries)
        .catch(async (error: Error) => {
          log.error({ err: error }, 'a batch failed and is given back to the broker')
          await delay(PROBE_MS)
          for (const delivery of deliveries) settle(delivery, 'requeue')
        })
        .finally(() => {
          inFlight -= deliveries.length
        }),
    )

    const sweep = () =>
      void sweepExpired(store, config.RETENTION_DAYS, new Date(now())).then(
        (deleted) => log.info({ deleted }, 'deleted what is older than the retention'),
        (error: Error) => log.warn({ err: error }, 'what is older than the retention could not be deleted'),
      )
    // Connected while the indexes are being made; nothing is taken before they are.
    await consumer.pause('start')
    const consuming = superviseLink({
      ...address,
      name: `${config.PIPELINE_NAME}-signals`,
      setUp: async (channel) => {
        await assertTopology(channel, names)
        await consumer.setUp(channel)
      },
    })
    let indexes: string | undefined = 'not made yet'
    const checks = {
      indexes: () => indexes,
      store: outage.problem,
      broker: consuming.problem,
    }
    const letters = deadLettersOf(store.db)
    const archiver = createArchiver({
      ...address,
      name: `${config.PIPELINE_NAME}-signals-archive`,
      names,
      letters,
      alive,
      now,
      delay,
      archived: metrics.archived,
    })
    const drain = createDrain({
      asked: () => isAskedToDrain(config.DRAIN_FILE),
      stop: async () => void (await Promise.all([consumer.pause('drain'), archiver.pause('drain')])),
      finish: async () => {
        await Promise.all([batcher.drain(), archiver.finish()])
        await consumer.heard()
      },
      resume: async () => void (await Promise.all([consumer.resume('drain'), archiver.resume('drain')])),
      log,
    })
    drain.look()
    const looks = every(DRAIN_LOOK_MS, drain.look)
    const probes = await serveProbes(config.METRICS_PORT, metrics.registry, checks, { [DRAINED_PATH]: drain.missing })
    let sweeps = () => {}
    for (;;) {
      try {
        await connectStore(store.client)
        await Promise.all([ensureIndexes(store), ensureDeadLetterIndexes(letters)])
        if (!(await ensureRetention(store, config.RETENTION_DAYS))) sweeps = every(SWEEP_MS, sweep)
        break
      } catch (error) {
        indexes = (error as Error).message
        log.warn(`the store's indexes cannot be made yet: ${indexes}`)
        await delay(PROBE_MS)
      }
    }
    indexes = undefined
    void consumer.resume('start')
    const archiving = archiver.start()
    return [
      ['stop looking whether the pod is to go', looks],
      ['stop taking messages', () => consumer.pause('end')],
      ['finish what was taken', batcher.drain],
      ...archiving,
      ['leave the broker', () => Promise.all([consuming.close(), publishing.close()])],
      ['stop sweeping', sweeps],
      ['leave the store', () => store.client.close()],
      ['leave Redis', () => redis.disconnect()],
      ['stop watching keys', keys.close],
      ['stop the probes', () => closeServer(probes)],
    ]
  }
