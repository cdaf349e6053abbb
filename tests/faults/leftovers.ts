import type { ChannelModel } from 'amqplib'
import type { Redis } from 'ioredis'
import type { MongoClient } from 'mongodb'
import type { Topology } from '#contract/topology.ts'
import { undeclare } from '../stand/topology.ts'
import type { Stage } from './stage.ts'

/** Removes a run's queues, exchanges, database and Redis keys, whatever of them is there. */
export const removeAll = async (
  broker: ChannelModel,
  client: MongoClient,
  redis: Redis,
  topology: Topology,
  name: string,
) => {
  await undeclare(broker, topology)
  await client.db(name).dropDatabase()
  await redis.flushdb()
}

/** What a run left behind; nothing may be. */
export const leftBehind = async (client: MongoClient, stage: Stage): Promise<string[]> => {
  const databases = (await client.db('admin').admin().listDatabases({ nameOnly: true })).databases
  const queues = await Promise.all(
    stage.topology.queues.map(async ({ name }) => ((await stage.depth(name).catch(() => -1)) === -1 ? [] : [name])),
  )
  return [
    ...databases.filter(({ name }) => name === stage.names.exchange.replace(/\.xray$/, '')).map(({ name }) => name),
    ...queues.flat(),
    ...stage.processes.filter(({ running }) => running()).map(({ component, pid }) => `${component} ${pid}`),
  ].map((left) => `fault: left behind: ${left}`)
}
