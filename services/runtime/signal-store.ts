import { createHash } from 'node:crypto'
import {
  Binary,
  type Collection,
  type Db,
  Long,
  MongoBulkWriteError,
  MongoClient,
  ObjectId,
  type OptionalUnlessRequiredId,
} from 'mongodb'
import { MAX_BODY_BYTES } from '#contract/recording.ts'
import type { Summary } from '#contract/signal.ts'

/** A signal as it stands in the collection `signals`. */
export type SignalDocument = Summary & {
  _id: ObjectId
  rawPayloadId: ObjectId
  messageId: string
  processedAt: Date
  receivedAt: Date
  status: 'processed'
  /** Bytes of the raw body. */
  dataVolume: number
  rawSha256: string
  /** Of the trace that the message belongs to, when its device or the producer began one. */
  traceId?: string
  /** How often it was tried, when that was more than once. */
  attempts?: number
}

/** A file of the GridFS bucket `raw_payloads`, readable by any driver's GridFSBucket. */
export type FileDocument = {
  _id: ObjectId
  length: Long
  chunkSize: number
  uploadDate: Date
  filename: string
  metadata: { deviceId: string; messageId: string; sha256: string; contentType: string; receivedAt: Date }
}

/** `expireBase` is ours, for retention: readers of GridFS ignore it. */
export type ChunkDocument = { _id: ObjectId; files_id: ObjectId; n: number; data: Binary; expireBase: Date }

export type Store = {
  client: MongoClient
  db: Db
  signals: Collection<SignalDocument>
  files: Collection<FileDocument>
  chunks: Collection<ChunkDocument>
}

/** What is to be stored of one message. */
export type Entry = {
  idHex: string
  messageId: string
  contentType: string
  sha256Hex: string
  receivedAtMs: number
  body: Buffer
  summary: Summary
  traceId?: string
  attempts?: number
}

/** Told when a part of a batch is in the store. */
export type StoreLap = (stage: 'store_raw' | 'store_signal') => void

/** `conflict`: another body is stored under the same id. */
export type Stored = 'stored' | 'duplicate' | 'conflict'

const OPERATION_LIMIT_MS = 10_000
const WRITE = { ordered: false, writeConcern: { w: 'majority', wtimeoutMS: OPERATION_LIMIT_MS } } as const
const DUPLICATE_KEY = 11_000

/** Opens the store; connections are made when they are first needed. */
export const openStore = (uri: string, database: string, appName: string): Store => {
  const client = new MongoClient(uri, {
    appName,
    serverSelectionTimeoutMS: 5_000,
    socketTimeoutMS: 30_000,
    maxPoolSize: 10,
    monitorCommands: true,
    retryWrites: false, // every write here may be repeated by us: its ids are fixed
  })
  const db = client.db(database)
  const bucket = 'raw_payloads'
  return {
    client,
    db,
    signals: db.collection('signals'),
    files: db.collection(`${bucket}.files`),
    chunks: db.collection(`${bucket}.chunks`),
  }
}

/**
 * Makes the indexes that reads and deduplication need. The driver makes those of GridFS only for its own uploads.
 * A pod that comes from none waits for this before it takes its first message, so the collections do not wait for one
 * another.
 */
export const ensureIndexes = async ({ signals, files, chunks }: Store): Promise<void> => {
  await Promise.all([
    signals.createIndexes([
      { key: { timestamp: -1, _id: -1 } },
      { key: { deviceId: 1, timestamp: -1, _id: -1 } },
      { key: { processedAt: -1, _id: -1 } },
    ]),
    files.createIndexes([{ key: { filename: 1, uploadDate: 1 } }]),
    chunks.createIndexes([{ key: { files_id: 1, n: 1 }, unique: true }]),
  ])
}

/** Inserts what is not there. Returns the positions that were there already; any other failure is thrown. */
export const insertNew = async <T extends { _id: ObjectId }>(
  collection: Collection<T>,
  documents: T[],
): Promise<Set<number>> => {
  try {
    await collection.insertMany(documents as unknown as OptionalUnlessRequiredId<T>[], WRITE)
    return new Set()
  } catch (error) {
    if (!(error instanceof MongoBulkWriteError)) throw error
    const errors = [error.writeErrors].flat()
    const other = errors.find(({ code }) => code !== DUPLICATE_KEY)
    // A write concern that failed means that the write may be rolled back: it counts as not stored.
    if (other !== undefined || error.result.getWriteConcernError() !== undefined || errors.length === 0)
      throw other ?? error
    return new Set(errors.map(({ index }) => index))
  }
}

/** The name of a recording's raw bytes in the bucket; the seed's form. */
export const rawFilename = (timestampMs: number): string => `raw_payload_${timestampMs}.json`

const fileOf = (entry: Entry, _id: ObjectId, now: Date): FileDocument => ({
  _id,
  length: Long.fromNumber(entry.body.length),
  chunkSize: MAX_BODY_BYTES,
  uploadDate: now,
  filename: rawFilename(entry.summary.timestamp),
  metadata: {
    deviceId: entry.summary.deviceId,
    messageId: entry.messageId,
    sha256: entry.sha256Hex,
    contentType: entry.contentType,
    receivedAt: new Date(entry.receivedAtMs),
  },
})

const signalOf = (entry: Entry, _id: ObjectId, now: Date): SignalDocument => ({
  _id,
  ...entry.summary,
  rawPayloadId: _id,
  messageId: entry.messageId,
  processedAt: now,
  receivedAt: new Date(entry.receivedAtMs),
  status: 'processed',
  dataVolume: entry.body.length,
  rawSha256: entry.sha256Hex,
  ...(entry.traceId !== undefined && { traceId: entry.traceId }),
  ...(entry.attempts !== undefined && { attempts: entry.attempts }),
})

/** Of the entries whose id was there already, those whose stored bytes or digest differ. */
const conflictsAmong = async (
  store: Store,
  entries: Entry[],
  ids: ObjectId[],
  known: Set<number>,
): Promise<Set<number>> => {
  if (known.size === 0) return new Set()
  const wanted = { $in: [...known].map((index) => ids[index] as ObjectId) }
  const options = { timeoutMS: OPERATION_LIMIT_MS }
  const [files, chunks] = await Promise.all([
    store.files.find({ _id: wanted }, options).project<FileDocument>({ metadata: 1 }).toArray(),
    store.chunks.find({ _id: wanted }, options).toArray(),
  ])
  const digests = new Map<string, Set<string>>()
  const note = (id: ObjectId, sha256: string) =>
    digests.set(id.toHexString(), (digests.get(id.toHexString()) ?? new Set()).add(sha256))
  for (const file of files) note(file._id, file.metadata.sha256)
  for (const chunk of chunks) note(chunk._id, createHash('sha256').update(chunk.data.buffer).digest('hex'))
  return new Set(
    [...known].filter((index) =>
      [...(digests.get(entries[index]?.idHex ?? '') ?? [])].some((sha256) => sha256 !== entries[index]?.sha256Hex),
    ),
  )
}

/**
 * Lets raw bytes that an earlier attempt left live as long as the signal that they get now: they expire by their own
 * dates, and that attempt may have been days ago.
 */
const refresh = async ({ files, chunks }: Store, ids: ObjectId[], now: Date): Promise<void> => {
  if (ids.length === 0) return
  const [those, options] = [{ _id: { $in: ids } }, { writeConcern: WRITE.writeConcern }]
  await Promise.all([
    files.updateMany(those, { $max: { uploadDate: now } }, options),
    chunks.updateMany(those, { $max: { expireBase: now } }, options),
  ])
}

/**
 * Stores a batch: chunks and files first, in parallel, the signals last, so that a signal that is seen has its raw
 * bytes. Ids are fixed by the message, so the same message again is found to be there, whoever stored it and whatever
 * crashed between.
 * @returns what became of each entry, in order
 * @throws the driver's error when the store is away or did not confirm; then nothing is known of any entry, and the
 *   whole batch may be stored again
 */
export const storeBatch = async (
  store: Store,
  entries: Entry[],
  now: Date,
  lap: StoreLap = () => {},
): Promise<Stored[]> => {
  const ids = entries.map(({ idHex }) => new ObjectId(idHex))
  const at = (index: number): ObjectId => ids[index] as ObjectId
  const chunks = entries.map((entry, i) => ({
    _id: at(i),
    files_id: at(i),
    n: 0,
    data: new Binary(entry.body),
    expireBase: now,
  }))
  const [knownChunks, knownFiles] = await Promise.all([
    insertNew(store.chunks, chunks),
    insertNew(
      store.files,
      entries.map((entry, i) => fileOf(entry, at(i), now)),
    ),
  ])
  const known = knownChunks.union(knownFiles)
  const conflicts = await conflictsAmong(store, entries, ids, known)
  await refresh(store, [...known.difference(conflicts)].map(at), now)
  lap('store_raw')
  const sound = entries.flatMap((_, index) => (conflicts.has(index) ? [] : [index]))
  const knownSignals =
    sound.length === 0
      ? new Set<number>()
      : await insertNew(
          store.signals,
          sound.map((i) => signalOf(entries[i] as Entry, at(i), now)),
        )
  lap('store_signal')
  const duplicates = new Set([...knownSignals].map((position) => sound[position]))
  return entries.map((_, index) => (conflicts.has(index) ? 'conflict' : duplicates.has(index) ? 'duplicate' : 'stored'))
}
