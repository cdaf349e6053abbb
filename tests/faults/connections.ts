import { type ChannelModel, connect } from 'amqplib'
import { Redis } from 'ioredis'
import { MongoClient } from 'mongodb'
import type { Server } from '../stand/servers.ts'

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
