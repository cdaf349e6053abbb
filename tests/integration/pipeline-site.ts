import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'amqplib'
import { type TopologySpec, toTopology } from '#contract/topology.ts'
import { openStore } from '#runtime/signal-store.ts'
import { address, secret, storeUri } from '../e2e/cluster.ts'

/**
 * A place for a pipeline's processes on the cluster's real servers: a vhost with the topology that the operator would
 * declare, a database and keys of its own.
 * @param name of vhost and database, with the process beside it: another checkout may use the same cluster now
 */
export const openSite = async (name: string, retry: { delaysMs: number[]; jitterMs: number }) => {
  const own = `test-${name}-${process.pid}`
  const host = await address('xray-rabbitmq')
  const password = await secret('xray-rabbitmq', 'password')
  const manage = async (method: string, path: string, body?: object): Promise<void> => {
    const answer = await fetch(`http://${host}:15672/api/${path}`, {
      method,
      headers: {
        authorization: `Basic ${Buffer.from(`xray:${password}`).toString('base64')}`,
        'content-type': 'application/json',
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`)
  }
  await manage('PUT', `vhosts/${own}`, {})
  await manage('PUT', `permissions/${own}/xray`, { configure: '.*', write: '.*', read: '.*' })

  const spec: TopologySpec = {
    exchange: 'iot.xray',
    queue: 'xray.raw.q',
    deadLetterExchange: 'iot.dlx',
    maxLengthBytes: 2 ** 26,
    ...retry,
  }
  const model = await connect({ hostname: host, username: 'xray', password, vhost: own })
  const channel = await model.createConfirmChannel()
  const { exchanges, queues, bindings } = toTopology(spec)
  for (const exchange of exchanges)
    await channel.assertExchange(exchange.name, exchange.type, { durable: true, arguments: exchange.arguments })
  for (const queue of queues) await channel.assertQueue(queue.name, { durable: true, arguments: queue.arguments })
  for (const { queue, exchange, routingKey } of bindings) await channel.bindQueue(queue, exchange, routingKey)

  const keys = mkdtempSync(join(tmpdir(), 'xrayiot-keys-'))
  const masterHex = randomBytes(32).toString('hex')
  writeFileSync(join(keys, 'device-master-k1'), masterHex)
  writeFileSync(join(keys, 'message-p1'), randomBytes(32).toString('hex'))
  writeFileSync(join(keys, 'api-admin-token'), 'token')
  const uri = await storeUri()
  const store = openStore(uri, own, 'test')
  return {
    masterHex,
    store,
    /** An undisturbed channel, to publish and to look. */
    channel,
    env: {
      PIPELINE_NAME: own,
      PIPELINE_NAMESPACE: 'xray',
      KEYS_DIR: keys,
      AMQP_URI: `amqp://xray:${encodeURIComponent(password)}@${host}:5672`,
      AMQP_VHOST: own,
      RETRY_DELAYS_MS: retry.delaysMs.join(','),
      RETRY_JITTER_MS: String(retry.jitterMs),
      MONGODB_URI: uri,
      MONGODB_DATABASE: own,
      REDIS_URI: `redis://:${encodeURIComponent(await secret('xray-redis', 'password'))}@${await address('xray-redis')}:6379`,
    },
    close: async (): Promise<void> => {
      await model.close().catch(() => undefined) // the broker may have gone away meanwhile
      await manage('DELETE', `vhosts/${own}`)
      await store.db.dropDatabase()
      await store.client.close()
      rmSync(keys, { recursive: true })
    },
  }
}
