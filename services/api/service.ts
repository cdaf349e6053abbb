import { createServer } from 'node:http'
import { IV_BYTES } from '#contract/device-secret.ts'
import { superviseLink } from '#runtime/amqp.ts'
import { timeCommands } from '#runtime/database-metrics.ts'
import { openDeviceRegistry } from '#runtime/device-registry.ts'
import { watchKeys } from '#runtime/keys.ts'
import type { Logger } from '#runtime/log.ts'
import { namesOf } from '#runtime/pipeline-env.ts'
import { closeServer, listen, serveProbes } from '#runtime/probe.ts'
import { createPublisher } from '#runtime/publisher.ts'
import { openRedis } from '#runtime/redis.ts'
import type { Ending } from '#runtime/shut-down.ts'
import { openStore } from '#runtime/signal-store.ts'
import { pingStore } from '#runtime/store-connection.ts'
import { readRedisSize, readStoreSizes } from '#runtime/store-size.ts'
import type { Tracing } from '#runtime/tracing.ts'
import { createApp } from './app.ts'
import type { Config } from './config.ts'
import { startDeadLetters } from './dead-letters.ts'
import { createMetrics } from './metrics.ts'

export type World = {
  now: () => number
  uptimeSeconds: () => number
  newId: () => string
  entropy: (bytes: number) => Buffer
  every: (ms: number, run: () => void) => () => void
  delay: (ms: number, signal: AbortSignal) => Promise<void>
}

const PROBE_MS = 5_000
const MEASURE_MS = 60_000

/** Starts the API: it answers at once and is ready while the store answers. */
export const startApi =
  ({ now, uptimeSeconds, newId, entropy, every, delay }: World) =>
  async (config: Config, log: Logger, tracing?: Tracing): Promise<Ending[]> => {
    const metrics = createMetrics(config)
    const keys = watchKeys(config.KEYS_DIR, log)
    const store = openStore(config.MONGODB_URI, config.MONGODB_DATABASE, 'xray-api')
    timeCommands(store.client, metrics.database)
    const redis = openRedis(config, 'api', log)
    const publisher = createPublisher(() => link)
    const link = superviseLink({
      uri: config.AMQP_URI,
      vhost: config.AMQP_VHOST,
      name: `${config.PIPELINE_NAME}-api`,
      queue: config.AMQP_QUEUE,
      log,
      setUp: async (channel) => {
        publisher.observe(channel)
        await channel.checkQueue(config.AMQP_QUEUE)
      },
    })
    const deadLetters = startDeadLetters({
      store,
      publisher,
      names: namesOf(config),
      now,
      newId,
      every,
      delay,
      registry: metrics.registry,
      log,
    })
    const app = createApp({
      store,
      deadLetters: deadLetters.context,
      openLetters: deadLetters.openLetters,
      redis,
      devices: {
        registry: openDeviceRegistry(store.db),
        masters: () => keys.current().deviceMasters,
        now,
        newIv: () => entropy(IV_BYTES),
      },
      token: () => keys.current().apiAdminToken,
      dependencies: {
        mongodb: () => pingStore(store).then(() => undefined),
        rabbitmq: async () => link.problem(),
        redis: () => redis.ping().then(() => undefined),
      },
      version: config.SERVICE_VERSION,
      now,
      uptimeSeconds,
      newId,
      asked: metrics.asked,
      answered: metrics.answered,
      log,
      tracing,
    })
    let storeProblem: string | undefined = 'not asked yet'
    const ask = () =>
      void pingStore(store).then(
        () => {
          storeProblem = undefined
        },
        (error: Error) => {
          storeProblem = error.message
        },
      )
    ask()
    const stopAsking = every(PROBE_MS, ask)
    const measure = () => {
      for (const sizes of [readStoreSizes(store), readRedisSize(redis)])
        void sizes.then(metrics.measured, (error: Error) => log.debug({ err: error }, 'a store does not say its size'))
    }
    measure()
    redis.once('ready', measure)
    const stopMeasuring = every(MEASURE_MS, measure)
    const probes = await serveProbes(config.METRICS_PORT, metrics.registry, { store: () => storeProblem })
    const server = await listen(createServer(app), config.HTTP_PORT)
    log.info(`listening on ${config.HTTP_PORT}`)
    return [
      ['stop taking requests', () => closeServer(server)],
      ['stop asking the store', stopAsking],
      ...deadLetters.endings,
      ['stop measuring', stopMeasuring],
      ['leave the broker', link.close],
      ['leave the store', () => store.client.close()],
      ['leave Redis', () => redis.disconnect()],
      ['stop watching keys', keys.close],
      ['stop the probes', () => closeServer(probes)],
    ]
  }
