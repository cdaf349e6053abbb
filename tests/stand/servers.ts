import { address, secret } from '../e2e/cluster.ts'

/** Of Redis's 16 databases, the one that the product never uses; whoever is done with a test empties it. */
export const REDIS_DATABASE = 9

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
