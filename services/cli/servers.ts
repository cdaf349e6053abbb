import { connect } from 'amqplib'
import { Redis } from 'ioredis'
import { MongoClient } from 'mongodb'
import { brokerPort } from '#runtime/amqp.ts'
import { type Finding, fine, leftOut, wrong } from './check.ts'
import type { Cluster } from './cluster.ts'
import { reach } from './endpoint.ts'
import { EXIT, Failure } from './failure.ts'
import { isAtLeast } from './version.ts'

const LIMIT_MS = 8_000

type Server = { portOf: (uri: URL) => number; look: (uri: string) => Promise<Finding> }

const versioned = (product: string, version: string, lowest: string): Finding =>
  isAtLeast(version, lowest)
    ? fine(`${product} ${version}`)
    : wrong(`${product} ${version}, expected at least ${lowest}`)

const lookAtBroker = async (uri: string): Promise<Finding> => {
  const link = await connect(uri, { timeout: LIMIT_MS })
  link.on('error', () => undefined)
  try {
    const { product = '', version = '' } = link.connection.serverProperties as { product?: string; version?: string }
    return versioned(product, version, '4.0')
  } finally {
    await link.close()
  }
}

const lookAtStore = async (uri: string): Promise<Finding> => {
  const client = new MongoClient(uri, {
    directConnection: true,
    serverSelectionTimeoutMS: LIMIT_MS,
    connectTimeoutMS: LIMIT_MS,
  })
  try {
    const info = await client.db('admin').command({ buildInfo: 1 })
    // Asking for the build needs no password.
    await client.db('admin').command({ listDatabases: 1, nameOnly: true })
    const ferret = info.ferretdb as { version?: string } | undefined
    return ferret?.version === undefined
      ? versioned('MongoDB', String(info.version), '7.0')
      : versioned('FerretDB', ferret.version, '2.0')
  } finally {
    await client.close()
  }
}

const lookAtCache = async (uri: string): Promise<Finding> => {
  const redis = new Redis(uri, {
    lazyConnect: true,
    connectTimeout: LIMIT_MS,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  })
  let last: Error | undefined
  redis.on('error', (error: Error) => {
    last = error
  })
  try {
    await redis.connect()
    const info = await redis.info()
    const field = (name: string): string => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? ''
    const policy = field('maxmemory_policy')
    if (policy.startsWith('allkeys-'))
      return wrong(
        `its maxmemory-policy ${policy} forgets which messages were stored: expected noeviction or volatile-*`,
      )
    const valkey = field('valkey_version')
    return valkey === '' ? versioned('Redis', field('redis_version'), '6.2') : versioned('Valkey', valkey, '7.2')
  } catch (error) {
    // What ioredis throws is that the connection is closed; why it is stands in the event.
    throw last ?? error
  } finally {
    redis.disconnect()
  }
}

export const SERVERS = {
  broker: { portOf: brokerPort, look: lookAtBroker },
  store: { portOf: ({ port }) => Number(port) || 27017, look: lookAtStore },
  cache: { portOf: ({ port }) => Number(port) || 6379, look: lookAtCache },
} as const satisfies Record<string, Server>

/** Where a server listens by the address of its Secret. */
export const portOf = (name: keyof typeof SERVERS, uri: URL): number => SERVERS[name].portOf(uri)

const SECURE = ['amqps:', 'rediss:']

/** The address in a URI, changed to where the server is reached from here. */
const redirect = (uri: URL, host: string, port: number): string => {
  const there = new URL(uri)
  there.hostname = host
  there.port = String(port)
  return there.href
}

/** Logs in to a server with the address and the password of its Secret, and asks for its version. */
export const lookAtServer = async (
  cluster: Cluster,
  name: keyof typeof SERVERS,
  secretName: string,
): Promise<Finding> => {
  const value = (await cluster.secret(secretName)).data?.uri
  if (value === undefined)
    throw new Failure(EXIT.notFound, `the Secret ${cluster.namespace}/${secretName} has no key "uri"`)
  const text = Buffer.from(value, 'base64').toString()
  const uri = URL.parse(text)
  // Several hosts, or one that is found by a look-up of its own: only from inside of the cluster it means something.
  if (uri === null || uri.protocol === 'mongodb+srv:') return leftOut('its address cannot be used from here')
  const endpoint = await reach(cluster, uri.hostname, portOf(name, uri))
  try {
    if (endpoint.host !== uri.hostname && (SECURE.includes(uri.protocol) || uri.searchParams.get('tls') === 'true'))
      return leftOut('its certificate is not for the way through this machine')
    const found = await SERVERS[name].look(redirect(uri, endpoint.host, endpoint.port))
    return { ...found, detail: `${found.detail} at ${endpoint.via}` }
  } finally {
    endpoint.close()
  }
}
