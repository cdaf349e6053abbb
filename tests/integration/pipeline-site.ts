import { randomBytes } from 'node:crypto'
import type { Options } from 'amqplib'
import { Redis } from 'ioredis'
import { DEFAULTS, type PipelineSpec, topologySpecOf } from '#contract/pipeline.ts'
import { topologyNames, toTopology } from '#contract/topology.ts'
import { openStore } from '#runtime/signal-store.ts'
import { openKeysFolder } from '../stand/keys-folder.ts'
import { findServers, REDIS_DATABASE } from '../stand/servers.ts'
import { environmentOf } from '../stand/service-environment.ts'
import { type Component, type Process, startProcess } from '../stand/service-process.ts'
import { declareOn } from '../stand/topology.ts'
import { openVhost } from '../stand/vhost.ts'

/** What the API of a site takes its callers by. */
export const TOKEN = 'xrk_integration'

/**
 * A place for a pipeline's processes on the cluster's real servers: a vhost with the topology that the operator would
 * declare, a database and keys of its own.
 */
export const openSite = async (prefix: string, retry: PipelineSpec['retry']) => {
  const [vhost, servers, keys] = [await openVhost(prefix), await findServers(), openKeysFolder()]
  const { name } = vhost
  const spec: PipelineSpec = {
    ...DEFAULTS,
    broker: { ...DEFAULTS.broker, vhost: name, maxLengthBytes: '1Gi' },
    store: { ...DEFAULTS.store, database: name },
    retry,
  }
  const topology = topologySpecOf(spec)
  const model = await vhost.connect()
  const channel = await model.createConfirmChannel()
  await declareOn(channel, toTopology(topology))

  const [deviceMaster, messageKey] = [randomBytes(32), randomBytes(32)]
  for (const component of ['producer', 'signals', 'api'] as const) {
    keys.set(component, 'device-master-k1', deviceMaster.toString('hex'))
    keys.set(component, 'message-p1', messageKey.toString('hex'))
    keys.set(component, 'api-admin-token', TOKEN)
  }
  const uris = {
    amqp: servers.rabbitmq.uri,
    store: servers.store.uri,
    redis: `${servers.redis.uri}/${REDIS_DATABASE}`,
  }
  const redis = new Redis(uris.redis)
  const store = openStore(uris.store, name, 'test')
  const processes: Process[] = []
  return {
    vhost: name,
    names: topologyNames(topology),
    servers,
    masterHex: deviceMaster.toString('hex'),
    messageKey,
    store,
    redis,
    /** An undisturbed channel, to publish and to look. */
    channel,
    /** Starts a service; it is ready when this resolves. `change` replaces variables of its environment. */
    start: async (component: Component, change: Record<string, string> = {}): Promise<Process> => {
      const started = await startProcess(component, {
        ...environmentOf(name, spec, component, uris, keys),
        ...change,
      })
      processes.push(started)
      await started.ready()
      return started
    },
    publish: (exchange: string, routingKey: string, body: Buffer, properties: Options.Publish): Promise<void> => {
      channel.publish(exchange, routingKey, body, { ...properties, persistent: true })
      return channel.waitForConfirms()
    },
    /** Lowers the delivery limit of every queue: of argument and policy the lower counts. Returns what undoes it. */
    limitDeliveries: async (limit: number): Promise<() => Promise<void>> => {
      const [policy, definition] = [`policies/${name}/limit`, { 'delivery-limit': limit }]
      await vhost.manage('PUT', policy, { pattern: '.*', definition, 'apply-to': 'quorum_queues' })
      return () => vhost.manage('DELETE', policy)
    },
    /** Messages in a queue that are not under way to a consumer. */
    ready: async (queue: string): Promise<number> => (await channel.checkQueue(queue)).messageCount,
    close: async (): Promise<void> => {
      await Promise.all(processes.filter(({ running }) => running()).map((one) => one.kill()))
      await model.close().catch(() => undefined) // the broker may have gone away meanwhile
      await redis.flushdb()
      redis.disconnect()
      await store.db.dropDatabase()
      await store.client.close()
      await vhost.close()
      keys.close()
    },
  }
}

export type Site = Awaited<ReturnType<typeof openSite>>
