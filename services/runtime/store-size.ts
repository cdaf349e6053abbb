import type { Redis } from 'ioredis'
import type { Collection, Document } from 'mongodb'
import type { Store } from './signal-store.ts'

/** What a store holds: objects, and bytes of the data, on disk and of indexes as far as it tells them apart. */
export type StoreSize = {
  store: 'mongodb' | 'gridfs' | 'redis'
  objects: number
  data: number
  storage?: number
  index?: number
}

const LIMIT = { timeoutMS: 10_000 }

const sizeOf = async <T extends Document>(collection: Collection<T>) => {
  const [stats] = await collection.aggregate([{ $collStats: { storageStats: {} } }], LIMIT).toArray()
  const { count, size, storageSize, totalIndexSize } = stats?.storageStats ?? {}
  return { objects: Number(count), data: Number(size), storage: Number(storageSize), index: Number(totalIndexSize) }
}

/**
 * The sizes of signals and of raw bytes.
 * @throws the driver's error when the store cannot say
 */
export const readStoreSizes = async ({ signals, files, chunks }: Store): Promise<StoreSize[]> => {
  const [documents, heads, bodies] = await Promise.all([sizeOf(signals), sizeOf(files), sizeOf(chunks)])
  return [
    { store: 'mongodb', ...documents },
    {
      store: 'gridfs',
      objects: heads.objects,
      data: heads.data + bodies.data,
      storage: heads.storage + bodies.storage,
      index: heads.index + bodies.index,
    },
  ]
}

/** The size of all that Redis holds. @throws when it cannot say */
export const readRedisSize = async (redis: Redis): Promise<StoreSize[]> => {
  const [memory, objects] = await Promise.all([redis.info('memory'), redis.dbsize()])
  const [, bytes] = /^used_memory:([0-9]+)/m.exec(memory) ?? []
  if (bytes === undefined) throw new Error('Redis does not say how much memory it uses')
  return [{ store: 'redis', objects, data: Number(bytes) }]
}
