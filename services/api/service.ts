import { createServer } from 'node:http'
import { superviseLink } from '#runtime/amqp.ts'
import { watchKeys } from '#runtime/keys.ts'
import type { Logger } from '#runtime/log.ts'
import { createRegistry, histogram } from '#runtime/metrics.ts'
import { namesOf } from '#runtime/pipeline-env.ts'
import { closeServer, listen, serveProbes } from '#runtime/probe.ts'
import { createPublisher } from '#runtime/publisher.ts'
import { openRedis } from '#runtime/redis.ts'
import type { Ending } from '#runtime/shut-down.ts'
import { openStore, pingStore } from '#runtime/signal-store.ts'
import { createApp } from './app.ts'
import type { Config } from './config.ts'
import { startDeadLetters } from './dead-letters.ts'

export type World = {
  now: () => number
  uptimeSeconds: () => number
  newId: () => string
  every: (ms: number, run: () => void) => () => void
  delay: (ms: number, signal: AbortSignal) => Promise<void>
}

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2.5, 5, 10]
const PROBE_MS = 5_000

/** Starts the API: it answers at once and is ready while the store answers. */
export const startApi =
  ({ now, uptimeSeconds, newId, every, delay }: World) =>
  async (config: Config, log: Logger): Promise<Ending[]> => {
    const registry = createRegistry('api', config.SERVICE_VERSION)
    const duration = histogram(
      registry,
      'xray_http_request_duration_seconds',
      'From request to answer',
      ['method', 'route', 'status_code'],
      SECONDS,
    )
    const keys = watchKeys(config.KEYS_DIR, log)
    const store = openStore(config.MONGODB_URI, config.MONGODB_DATABASE, 'xray-api')
    const redis = openRedis(config.REDIS_URI, 'api', log)
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
      registry,
      log,
    })
    const app = createApp({
      store,
      deadLetters: deadLetters.context,
      openLetters: deadLetters.openLetters,
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
      answered: (route, method, status, seconds) =>
        duration.observe({ route, method, status_code: String(status) }, seconds),
      log,
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
    const probes = await serveProbes(config.METRICS_PORT, registry, { store: () => storeProblem })
    const server = await listen(createServer(app), config.HTTP_PORT)
    log.info(`listening on ${config.HTTP_PORT}`)
    return [
      ['stop taking requests', () => closeServer(server)],
      ['stop asking the store', stopAsking],
      ...deadLetters.endings,
      ['leave the broker', link.close],
      ['leave the store', () => store.client.close()],
      ['leave Redis', () => redis.disconnect()],
      ['stop watching keys', keys.close],
      ['stop the probes', () => closeServer(probes)],
    ]
  }
