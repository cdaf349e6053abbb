import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ConfirmChannel, connect, type Options } from 'amqplib'
import { Redis } from 'ioredis'
import { topologyNames, toTopology } from '#contract/topology.ts'
import { openStore } from '#runtime/signal-store.ts'
import { ensureTopology } from '../../operator/cluster/broker.ts'
import { address, eventually, secret, storeUri } from '../e2e/cluster.ts'

/** The key that signs this stage's messages, and the token of its API. */
export const MESSAGE_KEY = Buffer.alloc(32, 7)
export const TOKEN = 'xrk_integration'

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const bound = server.address()
      server.close(() => resolve(typeof bound === 'object' && bound !== null ? bound.port : 0))
    })
  })

export type Service = {
  url: string
  /** Its metrics, as text. */
  metrics: () => Promise<string>
  /** Resolves when the process has ended. */
  end: (signal: 'SIGTERM' | 'SIGKILL') => Promise<void>
}

/**
 * A pipeline's servers without its pods: a virtual host and a database of its own on the cluster's, and the services
 * as processes of this machine, which can be killed.
 */
export const openStage = async (name: string) => {
  const [brokerHost, redisHost] = [await address('xray-rabbitmq'), await address('xray-redis')]
  const [brokerPassword, redisPassword] = [
    await secret('xray-rabbitmq', 'password'),
    await secret('xray-redis', 'password'),
  ]
  const spec = {
    exchange: `${name}.xray`,
    queue: `${name}.raw.q`,
    deadLetterExchange: `${name}.dlx`,
    maxLengthBytes: 2 ** 30,
    delaysMs: [100],
    jitterMs: 0,
  }
  const names = topologyNames(spec)
  const access = {
    managementUri: `http://${brokerHost}:15672`,
    username: 'xray',
    password: brokerPassword,
    vhost: name,
  }
  const manage = async (method: 'PUT' | 'DELETE', path: string, body: object = {}): Promise<void> => {
    const authorization = `Basic ${Buffer.from(`xray:${brokerPassword}`).toString('base64')}`
    const answer = await fetch(`${access.managementUri}/api/${path}`, {
      method,
      headers: { authorization, 'content-type': 'application/json' },
      ...(method === 'PUT' && { body: JSON.stringify(body) }),
    })
    if (!answer.ok && answer.status !== 404) throw new Error(`${method} ${path}: ${answer.status}`)
  }
  const vhost = (method: 'PUT' | 'DELETE'): Promise<void> => manage(method, `vhosts/${name}`)
  await vhost('DELETE')
  await vhost('PUT')
  await manage('PUT', `permissions/${name}/xray`, { configure: '.*', write: '.*', read: '.*' })
  await ensureTopology(access, toTopology(spec))

  const keys = mkdtempSync(join(tmpdir(), 'xrayiot-keys-'))
  writeFileSync(join(keys, 'message-p1'), MESSAGE_KEY.toString('hex'))
  writeFileSync(join(keys, 'api-admin-token'), TOKEN)
  const amqpUri = (host: string, port: number) => `amqp://xray:${encodeURIComponent(brokerPassword)}@${host}:${port}`
  const redisUri = `redis://default:${encodeURIComponent(redisPassword)}@${redisHost}:6379/9`
  const redis = new Redis(redisUri)
  const store = openStore(await storeUri(), name, 'test')
  await store.db.dropDatabase()

  const model = await connect({ hostname: brokerHost, username: 'xray', password: brokerPassword, vhost: name })
  const channel: ConfirmChannel = await model.createConfirmChannel()
  const services = new Set<Service>()

  /** Starts a service; it is ready when this resolves. `change` replaces variables of its environment. */
  const start = async (component: 'signals' | 'api', change: Record<string, string> = {}): Promise<Service> => {
    const [http, metrics] = [await freePort(), await freePort()]
    const env = {
      PATH: process.env.PATH,
      PIPELINE_NAME: name,
      PIPELINE_NAMESPACE: 'test',
      LOG_LEVEL: 'fatal',
      KEYS_DIR: keys,
      AMQP_URI: amqpUri(brokerHost, 5672),
      AMQP_VHOST: name,
      AMQP_EXCHANGE: spec.exchange,
      AMQP_QUEUE: spec.queue,
      AMQP_DEAD_LETTER_EXCHANGE: spec.deadLetterExchange,
      MAX_RETRIES: '1',
      RETRY_DELAYS_MS: '100',
      RETRY_JITTER_MS: '0',
      MONGODB_URI: await storeUri(),
      MONGODB_DATABASE: name,
      REDIS_URI: redisUri,
      HTTP_PORT: String(http),
      METRICS_PORT: String(metrics),
      ...change,
    }
    const child = spawn(process.execPath, [`services/${component}/main.ts`], {
      env,
      stdio: ['ignore', 'inherit', 'inherit'],
    })
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
    const probe = (path: string) => fetch(`http://127.0.0.1:${metrics}${path}`)
    const service: Service = {
      url: `http://127.0.0.1:${http}`,
      metrics: async () => (await probe('/metrics')).text(),
      end: async (signal) => {
        services.delete(service)
        child.kill(signal)
        await ended
      },
    }
    services.add(service)
    await eventually(`${component} to be ready`, 60, async () => ((await probe('/readyz')).ok ? true : undefined))
    return service
  }

  return {
    names,
    store,
    redis,
    amqpUri,
    brokerHost,
    channel,
    start,
    publish: (exchange: string, routingKey: string, body: Buffer, properties: Options.Publish): Promise<void> => {
      channel.publish(exchange, routingKey, body, { ...properties, persistent: true })
      return channel.waitForConfirms()
    },
    /** Lowers the delivery limit of every queue: of argument and policy the lower counts. Returns what undoes it. */
    limitDeliveries: async (limit: number): Promise<() => Promise<void>> => {
      const definition = { 'delivery-limit': limit }
      await manage('PUT', `policies/${name}/limit`, { pattern: '.*', definition, 'apply-to': 'quorum_queues' })
      return () => manage('DELETE', `policies/${name}/limit`)
    },
    /** Messages in a queue that are not under way to a consumer. */
    ready: async (queue: string): Promise<number> => (await channel.checkQueue(queue)).messageCount,
    close: async () => {
      await Promise.all([...services].map((service) => service.end('SIGKILL')))
      await model.close()
      await redis.flushdb()
      redis.disconnect()
      await store.db.dropDatabase()
      await store.client.close()
      await vhost('DELETE')
      rmSync(keys, { recursive: true })
    },
  }
}

export type Stage = Awaited<ReturnType<typeof openStage>>
