import { type ChannelModel, connect } from 'amqplib'
import { Redis } from 'ioredis'
import { MongoClient } from 'mongodb'
import { address, secret } from '../e2e/cluster.ts'

export type Address = { host: string; port: number }

/** One of the cluster's servers: its URI by another host and port, and where it really is. */
export type Server = { uriVia: (via: Address) => string; address: Address; uri: string }

const server = async (name: string, port: number): Promise<Server> => {
  const [text, host] = await Promise.all([secret(name, 'uri'), address(name)])
  const uriVia = (via: Address): string => {
    const uri = new URL(text)
    uri.hostname = via.host
    uri.port = String(via.port)
    return uri.href
  }
  return { uriVia, address: { host, port }, uri: uriVia({ host, port }) }
}

export type Servers = { rabbitmq: Server; store: Server; redis: Server }

/** The servers that the cluster's pipelines use, reached from this machine. */
export const findServers = async (): Promise<Servers> => {
  const [rabbitmq, store, redis] = await Promise.all([
    server('xray-rabbitmq', 5672),
    server('xray-mongodb', 27017),
    server('xray-redis', 6379),
  ])
  return { rabbitmq, store, redis }
}

/** A connection of the test's own to the broker; what it reports as lost is found by the next call on it. */
const openAmqp = async ({ uri }: Server): Promise<ChannelModel> => {
  const model = await connect(uri, { noDelay: true, clientProperties: { connection_name: 'faults' } })
  model.on('error', () => undefined)
  return model
}

export const openMongo = ({ uri }: Server): MongoClient => new MongoClient(uri, { appName: 'faults' })

/** Its errors are found by the next command. */
export const openRedisDatabase = ({ uri }: Server, database: number): Redis =>
  new Redis(`${uri}/${database}`).on('error', () => undefined)

/**
 * Keeps one connection to the broker, made anew when the broker was away.
 * @param lost told each time that it was
 */
export const keepBroker = (server: Server, lost: () => void) => {
  let current: Promise<ChannelModel> | undefined
  return {
    get: (): Promise<ChannelModel> => {
      current ??= openAmqp(server).then(
        (model) => {
          model.on('close', () => {
            current = undefined
            lost()
          })
          return model
        },
        (error: Error) => {
          current = undefined
          throw error
        },
      )
      return current
    },
    close: async () => (await current)?.close(),
  }
}
