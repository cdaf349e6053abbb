import { type ChannelModel, connect } from 'amqplib'
import { address, secret } from '../e2e/cluster.ts'

/** A virtual host of its own on the cluster's broker. */
export type Vhost = {
  name: string
  /** Calls the broker's management API. @throws Error with what it answered when that is no success */
  manage: (method: 'PUT' | 'DELETE', path: string, body?: object) => Promise<void>
  /** An undisturbed connection. */
  connect: () => Promise<ChannelModel>
  close: () => Promise<void>
}

/** @param prefix of its name, with the process beside it: another checkout may use the same cluster now */
export const openVhost = async (prefix: string): Promise<Vhost> => {
  const name = `test-${prefix}-${process.pid}`
  const [host, password] = [await address('xray-rabbitmq'), await secret('xray-rabbitmq', 'password')]
  const manage: Vhost['manage'] = async (method, path, body) => {
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
  await manage('PUT', `vhosts/${name}`, {})
  await manage('PUT', `permissions/${name}/xray`, { configure: '.*', write: '.*', read: '.*' })
  return {
    name,
    manage,
    connect: () => connect({ hostname: host, username: 'xray', password, vhost: name }),
    close: () => manage('DELETE', `vhosts/${name}`),
  }
}
