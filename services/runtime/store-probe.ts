import { randomBytes } from 'node:crypto'
import { Binary, type Db, MongoServerError } from 'mongodb'

/** A page of any store is smaller: a disk that is full has no room for it. */
const PROBE_BYTES = 2 ** 16
const LIMIT_MS = 5_000
const WRITE = { writeConcern: { w: 'majority', wtimeoutMS: LIMIT_MS } } as const
const [UNAUTHORIZED, DUPLICATE_KEY] = [13, 11_000]

type Probe = { _id: string; bytes: Binary }

/**
 * True when the store takes writes. One without a majority, with a full disk, or read-only answers every question and
 * takes nothing, so a write that failed is asked about by a write: it is the store's fault when this one fails as well.
 * Leaves nothing behind. A user who may write where it must, but not into the collection of its own that this takes,
 * says nothing of the store.
 */
export const takesWrites = async (db: Db): Promise<boolean> => {
  const probes = db.collection<Probe>('store_probes')
  const bytes = new Binary(randomBytes(PROBE_BYTES))
  try {
    await probes.updateOne({ _id: 'probe' }, { $set: { bytes } }, { ...WRITE, upsert: true, timeoutMS: LIMIT_MS })
  } catch (error) {
    const code = error instanceof MongoServerError ? error.code : undefined
    return code === UNAUTHORIZED || code === DUPLICATE_KEY // the latter: another process probes at this moment
  }
  await probes.deleteOne({ _id: 'probe' }, { timeoutMS: LIMIT_MS }).catch(() => undefined)
  return true
}
