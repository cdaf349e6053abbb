import { type Collection, type Document, MongoServerError, type ObjectId } from 'mongodb'
import type { Store } from './signal-store.ts'

const DAY_SECONDS = 86_400
const HOUR_SECONDS = 3_600
const INDEX = 'retention'
const SWEEP_BATCH = 1_000
/** An index of this name has other options: IndexOptionsConflict, IndexKeySpecsConflict. */
const CONFLICTS: unknown[] = [85, 86]

type Expiry = { collection: Collection<Document>; field: string; seconds: number }

/**
 * What expires by which date: signals first, their files an hour later and the chunks last, so that a signal that is
 * seen always has its raw bytes.
 */
const expiriesOf = ({ signals, files, chunks }: Store, retentionDays: number): Expiry[] => {
  const seconds = retentionDays * DAY_SECONDS
  const of = (collection: unknown, field: string, more: number): Expiry => ({
    collection: collection as Collection<Document>,
    field,
    seconds: seconds + more,
  })
  return [
    of(signals, 'processedAt', 0),
    of(files, 'uploadDate', HOUR_SECONDS),
    of(chunks, 'expireBase', 2 * HOUR_SECONDS),
  ]
}

/** Makes the index or, when the retention has changed since it was made, changes it. True when the store expires by it. */
export const ensureExpiry = async ({ collection, field, seconds }: Expiry): Promise<boolean> => {
  try {
    await collection.createIndex({ [field]: 1 }, { name: INDEX, expireAfterSeconds: seconds })
  } catch (error) {
    if (!(error instanceof MongoServerError)) throw error
    if (CONFLICTS.includes(error.code))
      await collection.db.command({
        collMod: collection.collectionName,
        index: { name: INDEX, expireAfterSeconds: seconds },
      })
    else await collection.createIndex({ [field]: 1 }, { name: INDEX }) // a store without expiry; the sweep needs it
  }
  const made = (await collection.indexes()).find(({ name }) => name === INDEX)
  return made?.expireAfterSeconds === seconds
}

/**
 * Lets the store expire what is older than the retention. Repeating changes nothing but a changed retention.
 * @returns true when the store does it by itself, false when `sweepExpired` must be called now and then
 * @throws the driver's error when the store cannot be asked
 */
export const ensureRetention = async (store: Store, retentionDays: number): Promise<boolean> => {
  const made = await Promise.all(expiriesOf(store, retentionDays).map(ensureExpiry))
  return made.every((expires) => expires)
}

/** Deletes what is older than the retention, in the order in which it expires. Returns how many documents went. */
export const sweepExpired = async (store: Store, retentionDays: number, now: Date): Promise<number> => {
  let deleted = 0
  for (const { collection, field, seconds } of expiriesOf(store, retentionDays)) {
    const expired = { [field]: { $lt: new Date(now.getTime() - seconds * 1000) } }
    for (;;) {
      const found = await collection
        .find<{ _id: ObjectId }>(expired, { projection: { _id: 1 }, limit: SWEEP_BATCH })
        .toArray()
      if (found.length === 0) break
      deleted += (await collection.deleteMany({ _id: { $in: found.map(({ _id }) => _id) } })).deletedCount
    }
  }
  return deleted
}
