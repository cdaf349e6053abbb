import { MongoClient } from 'mongodb'
import { kubectl } from '../../k8s/local/control-plane.ts'

export { until as eventually } from '../../k8s/local/progress.ts'
export { kubectl }

/** One object as JSON. */
export const read = async (...args: string[]) => JSON.parse(await kubectl(['get', ...args, '-o', 'json']))

/** One key of a Secret in namespace xray. */
export const secret = async (name: string, key: string): Promise<string> =>
  Buffer.from((await read('secret', name, '-n', 'xray')).data[key], 'base64').toString()

/** The address of a Service in namespace xray, from this machine. */
export const address = async (service: string): Promise<string> =>
  (await read('service', service, '-n', 'xray')).spec.clusterIP

/** The management API of the broker. */
export const openBroker = async () => {
  const base = `http://${await address('xray-rabbitmq')}:15672`
  const authorization = `Basic ${Buffer.from(`xray:${await secret('xray-rabbitmq', 'password')}`).toString('base64')}`
  const call = async (method: string, path: string, body?: unknown) => {
    const answer = await fetch(`${base}/api/${path}`, {
      method,
      headers: { authorization, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`)
    const text = await answer.text()
    return text === '' ? undefined : JSON.parse(text)
  }
  return {
    queues: async (): Promise<string[]> =>
      ((await call('GET', 'queues/%2F?columns=name')) as { name: string }[]).map(({ name }) => name),
    /** The policy of a queue, which has the queue's name. */
    policy: (name: string) => call('GET', `policies/%2F/${name}`) as Promise<{ definition: object }>,
    declare: (queue: string, args: object) => call('PUT', `queues/%2F/${queue}`, { durable: true, arguments: args }),
    drop: (queue: string) => call('DELETE', `queues/%2F/${queue}`),
    /** Takes up to `count` messages off a queue. */
    take: (queue: string, count: number) =>
      call('POST', `queues/%2F/${queue}/get`, { count, ackmode: 'ack_requeue_false', encoding: 'auto' }) as Promise<
        { properties: { message_id?: string; headers: Record<string, unknown> }; payload: string }[]
      >,
    publish: (exchange: string, routingKey: string, payload: string, properties: object) =>
      call('POST', `exchanges/%2F/${exchange}/publish`, {
        routing_key: routingKey,
        payload,
        payload_encoding: 'string',
        properties,
      }) as Promise<{ routed: boolean }>,
    /** Messages in a queue, or undefined while the broker does not say. */
    depth: async (queue: string): Promise<number | undefined> =>
      ((await call('GET', `queues/%2F/${queue}`)) as { messages?: number }).messages,
    /** Deliveries of a queue's messages that came to nothing, so that they were delivered again; up to 5 s old. */
    redelivered: async (queue: string): Promise<number> => {
      const { message_stats: counts } = (await call('GET', `queues/%2F/${queue}`)) as {
        message_stats?: { ack?: number; deliver_get?: number }
      }
      return (counts?.deliver_get ?? 0) - (counts?.ack ?? 0)
    },
  }
}

/** The address of the store, as a pipeline's Secret has it. */
export const storeUri = async (): Promise<string> =>
  `mongodb://xray:${encodeURIComponent(await secret('xray-mongodb', 'password'))}@${await address('xray-mongodb')}:27017/`

/** The store itself, for counting what the API shows in pages. */
export const openDatabase = async (database: string) => {
  const client = new MongoClient(await storeUri())
  return { db: client.db(database), close: () => client.close() }
}
