import type { MongoClient } from 'mongodb'
import type { Store } from './signal-store.ts'

/**
 * Connects, when there is no connection yet. The driver (7.9.0) gives its first one up after `serverSelectionTimeoutMS`
 * and keeps the closed one: whatever is asked later ends with "Topology is closed", for ever, unless it is told to
 * connect anew. Once connected it finds a server that comes back by itself, and this costs nothing.
 * @throws the driver's error when no server answers in that time; try again
 */
export const connectStore = async (client: MongoClient): Promise<void> => void (await client.connect())

/** @throws the driver's error when the store does not answer a ping in time */
export const pingStore = async ({ client, db }: Pick<Store, 'client' | 'db'>): Promise<void> => {
  await connectStore(client)
  await db.command({ ping: 1 }, { timeoutMS: 3_000 })
}
