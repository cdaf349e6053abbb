import { superviseLink } from '#runtime/amqp.ts'
import { timedRedis } from '#runtime/database-metrics.ts'
import { watchKeys } from '#runtime/keys.ts'
import type { Logger } from '#runtime/log.ts'
import { createNonces } from '#runtime/nonces.ts'
import { namesOf } from '#runtime/pipeline-env.ts'
import { closeServer, listen, serveProbes } from '#runtime/probe.ts'
import { createPublisher } from '#runtime/publisher.ts'
import { openRedis } from '#runtime/redis.ts'
import type { Ending } from '#runtime/shut-down.ts'
import { assertTopology } from '#runtime/topology-check.ts'
import type { Tracing } from '#runtime/tracing.ts'
import type { Config } from './config.ts'
import { createMetrics } from './metrics.ts'
import { createRateLimit } from './rate-limit.ts'
import { createRequestTraces } from './request-trace.ts'
import { createIngestServer } from './server.ts'

export type World = { now: () => number; random: () => number }

/** Starts the producer: it takes requests at once and is ready when the broker has the pipeline's topology. */
export const startProducer =
  ({ now, random }: World) =>
  async (config: Config, log: Logger, tracing?: Tracing): Promise<Ending[]> => {
    const metrics = createMetrics(config, now)
    const names = namesOf(config)
    const keys = watchKeys(config.KEYS_DIR, log)
    const redis = openRedis(config.REDIS_URI, 'producer', log)
    const publisher = createPublisher(() => link)
    const link = superviseLink({
      uri: config.AMQP_URI,
      vhost: config.AMQP_VHOST,
      name: `${config.PIPELINE_NAME}-producer`,
      queue: names.queue,
      log,
      setUp: async (channel) => {
        publisher.observe(channel)
        await assertTopology(channel, names)
      },
    })
    const context = {
      keys: keys.current,
      nonces: createNonces(redis, metrics.bypassed, timedRedis(metrics.database)),
      publisher,
      rateLimit: createRateLimit(config.RATE_LIMIT_PER_DEVICE_PER_MINUTE),
      exchange: names.exchange,
      routingKey: names.routingKey,
      published: metrics.published,
      now,
      random,
    }
    const traces = tracing && createRequestTraces(tracing, { ...names, broker: config.AMQP_URI })
    const server = createIngestServer(context, metrics.answered, log, traces)
    const probes = await serveProbes(config.METRICS_PORT, metrics.registry, { broker: link.problem })
    await listen(server, config.HTTP_PORT)
    log.info(`listening on ${config.HTTP_PORT}`)
    return [
      ['stop taking requests', () => closeServer(server)],
      ['leave the broker', link.close],
      ['leave Redis', () => redis.disconnect()],
      ['stop watching keys', keys.close],
      ['stop the probes', () => closeServer(probes)],
    ]
  }
