import { superviseLink } from '#runtime/amqp.ts'
import { timedRedis } from '#runtime/database-metrics.ts'
import { createDerivedKeys } from '#runtime/derived-keys.ts'
import { openDeviceRegistry } from '#runtime/device-registry.ts'
import { watchDevices } from '#runtime/device-watch.ts'
import { countKeyUses } from '#runtime/key-uses.ts'
import { watchKeys } from '#runtime/keys.ts'
import type { Logger } from '#runtime/log.ts'
import { createNonces } from '#runtime/nonces.ts'
import { namesOf } from '#runtime/pipeline-env.ts'
import { closeServer, listen, serveProbes } from '#runtime/probe.ts'
import { createPublisher } from '#runtime/publisher.ts'
import { openRedis } from '#runtime/redis.ts'
import type { Ending } from '#runtime/shut-down.ts'
import { openStore } from '#runtime/signal-store.ts'
import { assertTopology } from '#runtime/topology-check.ts'
import type { Tracing } from '#runtime/tracing.ts'
import { createRoom } from './body.ts'
import type { Config } from './config.ts'
import type { IngestContext } from './ingest.ts'
import { createMetrics } from './metrics.ts'
import { createRateLimit } from './rate-limit.ts'
import { createRequestTraces } from './request-trace.ts'
import { createIngestServer } from './server.ts'

export type World = { now: () => number; random: () => number }

/** What the bodies of single recordings may take of the memory, and as much those of batches: a quarter of the limit. */
const MOST_BODY_BYTES = 33_554_432
/** Devices whose derived keys are remembered, some 5 MB. */
const MOST_DERIVED_KEYS = 5_000

/**
 * Starts the producer: it takes requests at once and is ready when the broker has the pipeline's topology and the device
 * registry was read.
 */
export const startProducer =
  ({ now, random }: World) =>
  async (config: Config, log: Logger, tracing?: Tracing): Promise<Ending[]> => {
    const names = namesOf(config)
    const keys = watchKeys(config.KEYS_DIR, log)
    const store = openStore(config.MONGODB_URI, config.MONGODB_DATABASE, 'xray-producer')
    const registry = openDeviceRegistry(store.db)
    const devices = watchDevices(registry, log)
    const uses = countKeyUses(registry, log)
    const metrics = createMetrics(config, devices.ageSeconds)
    const redis = openRedis(config, 'producer', log)
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
    const context: IngestContext = {
      keys: keys.current,
      devices,
      derivedKeys: createDerivedKeys(MOST_DERIVED_KEYS),
      room: createRoom(MOST_BODY_BYTES),
      batchRoom: createRoom(MOST_BODY_BYTES),
      nonces: createNonces(redis, metrics.bypassed, timedRedis(metrics.database)),
      publisher,
      rateLimit: createRateLimit(config.RATE_LIMIT_PER_DEVICE_PER_MINUTE),
      exchange: names.exchange,
      routingKey: names.routingKey,
      published: metrics.published,
      used: (deviceId, keyId, state, nowMs, signedAtSeconds) => {
        metrics.verified(state, nowMs / 1000 - signedAtSeconds)
        uses.count(deviceId, keyId, nowMs)
      },
      now,
      random,
    }
    const traces = tracing && createRequestTraces(tracing, { ...names, broker: config.AMQP_URI })
    const server = createIngestServer(context, metrics.answered, log, traces)
    const probes = await serveProbes(config.METRICS_PORT, metrics.registry, {
      broker: link.problem,
      devices: devices.problem,
      keys: () => (keys.current().signing === undefined ? 'no message key is there' : undefined),
    })
    await listen(server, config.HTTP_PORT)
    log.info(`listening on ${config.HTTP_PORT}`)
    return [
      ['stop taking requests', () => closeServer(server)],
      ['leave the broker', link.close],
      ['leave Redis', () => redis.disconnect()],
      ['stop watching devices', devices.close],
      ['write the uses of keys', uses.close],
      ['leave the store', () => store.client.close()],
      ['stop watching keys', keys.close],
      ['stop the probes', () => closeServer(probes)],
    ]
  }
