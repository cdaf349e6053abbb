import { Binary, type Db, MongoServerError } from 'mongodb'
import type { Device, DeviceKey } from '#contract/device-registry.ts'
import { connectStore } from './store-connection.ts'

/** A key as it stands in the collection `devices`. */
type KeyDocument = {
  keyId: string
  source: DeviceKey['source']
  state: DeviceKey['state']
  notBefore: Date
  notAfter: Date | null
  sealed?: { masterId: string; bytes: Binary }
}

/** `updatedAt` is the writer's clock: what readers ask for what is new by. `version` is what writers compare. */
type DeviceDocument = { _id: string; disabled: boolean; keys: KeyDocument[]; version: number; updatedAt: Date }

/** How often a key was used, and when last; `_id` is `<deviceId>|<keyId>`. */
export type UseDocument = { _id: string; uses: number; lastUsedAt: Date }

/** A device as the registry holds it, with what a change of it must name. */
export type Registered = Device & { version: number; updatedAtMs: number }

/** Devices that are not merely derived, one document each, and how their keys are used. */
export type DeviceRegistry = {
  /** Connects, when there is no connection yet, and makes the indexes: before anything else is asked of it. */
  ensureIndexes: () => Promise<void>
  /** All devices, or those changed at or after a time, in ms since the epoch. */
  read: (changedSinceMs?: number) => Promise<Registered[]>
  find: (deviceId: string) => Promise<Registered | undefined>
  /** Up to `limit` devices whose ids come after this one, in the order of ids. */
  page: (afterDeviceId: string, limit: number) => Promise<Registered[]>
  /**
   * Writes a device if nobody wrote it since `expectedVersion` was read; 0 is for one that was not there.
   * @returns the device as it stands now, or undefined when somebody did
   */
  save: (device: Device, expectedVersion: number, nowMs: number) => Promise<Registered | undefined>
  /** Up to `limit` uses whose ids come after this one. */
  uses: (afterId: string, limit: number, beforeId?: string) => Promise<UseDocument[]>
  /** Adds to the uses of keys. */
  addUses: (uses: UseDocument[]) => Promise<void>
}

const READ = { timeoutMS: 10_000 }
const WRITE = { writeConcern: { w: 'majority', wtimeoutMS: 5_000 } } as const
const DUPLICATE_KEY = 11_000

const toKeyDocument = ({ notBeforeMs, notAfterMs, sealed, keyId, source, state }: DeviceKey): KeyDocument => ({
  keyId,
  source,
  state,
  notBefore: new Date(notBeforeMs),
  notAfter: notAfterMs === undefined ? null : new Date(notAfterMs),
  ...(sealed !== undefined && { sealed: { masterId: sealed.masterId, bytes: new Binary(sealed.bytes) } }),
})

// Somebody may have edited a document by hand: a key that cannot be read is none, and the other devices are not hurt.
const toKey = (document: KeyDocument | null): DeviceKey[] => {
  if (document === null) return []
  const { keyId, source, state, notBefore, notAfter, sealed } = document
  const readable =
    typeof keyId === 'string' &&
    ['derived', 'imported'].includes(source) &&
    ['active', 'retiring', 'revoked'].includes(state) &&
    notBefore instanceof Date &&
    (notAfter === null || notAfter instanceof Date)
  if (!readable) return []
  return [
    {
      keyId,
      source,
      state,
      notBeforeMs: notBefore.getTime(),
      ...(notAfter !== null && { notAfterMs: notAfter.getTime() }),
      ...(sealed?.bytes instanceof Binary && { sealed: { masterId: sealed.masterId, bytes: sealed.bytes.buffer } }),
    },
  ]
}

const toDevice = ({ _id, disabled, keys, version, updatedAt }: DeviceDocument): Registered => ({
  deviceId: _id,
  disabled: disabled !== false,
  keys: Array.isArray(keys) ? keys.flatMap(toKey) : [],
  version,
  updatedAtMs: updatedAt instanceof Date ? updatedAt.getTime() : 0,
})

/** The registry in a pipeline's database; connections are the client's. */
export const openDeviceRegistry = (db: Db): DeviceRegistry => {
  const devices = db.collection<DeviceDocument>('devices')
  const uses = db.collection<UseDocument>('device_key_uses')
  return {
    ensureIndexes: async () => {
      await connectStore(db.client)
      await devices.createIndex({ updatedAt: 1 })
    },
    read: async (changedSinceMs) => {
      const filter = changedSinceMs === undefined ? {} : { updatedAt: { $gte: new Date(changedSinceMs) } }
      return (await devices.find(filter, READ).toArray()).map(toDevice)
    },
    find: async (deviceId) => {
      const document = await devices.findOne({ _id: deviceId }, READ)
      return document === null ? undefined : toDevice(document)
    },
    page: async (afterDeviceId, limit) =>
      (
        await devices
          .find({ _id: { $gt: afterDeviceId } }, READ)
          .sort({ _id: 1 })
          .limit(limit)
          .toArray()
      ).map(toDevice),
    save: async ({ deviceId, disabled, keys }, expectedVersion, nowMs) => {
      const version = expectedVersion + 1
      const content = { disabled, keys: keys.map(toKeyDocument), version, updatedAt: new Date(nowMs) }
      const saved = { deviceId, disabled, keys, version, updatedAtMs: nowMs }
      if (expectedVersion > 0) {
        const { matchedCount } = await devices.replaceOne({ _id: deviceId, version: expectedVersion }, content, WRITE)
        return matchedCount === 1 ? saved : undefined
      }
      try {
        await devices.insertOne({ _id: deviceId, ...content }, WRITE)
        return saved
      } catch (error) {
        if (error instanceof MongoServerError && error.code === DUPLICATE_KEY) return undefined
        throw error
      }
    },
    uses: (afterId, limit, beforeId) =>
      uses
        .find({ _id: { $gt: afterId, ...(beforeId !== undefined && { $lt: beforeId }) } }, READ)
        .sort({ _id: 1 })
        .limit(limit)
        .toArray(),
    addUses: async (added) =>
      void (await uses.bulkWrite(
        added.map(({ _id, uses: count, lastUsedAt }) => ({
          updateOne: { filter: { _id }, update: { $inc: { uses: count }, $max: { lastUsedAt } }, upsert: true },
        })),
        { ordered: false, timeoutMS: 10_000 },
      )),
  }
}
