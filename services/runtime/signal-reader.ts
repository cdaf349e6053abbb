import type { Filter, ObjectId, Sort } from 'mongodb'
import type { FileDocument, SignalDocument, Store } from './signal-store.ts'

export type ListQuery = {
  deviceIds: string[]
  /** Half-open, ms since the epoch. */
  fromMs?: number
  toMs?: number
  status?: string
  sort: 'timestamp' | 'processedAt' | 'deviceId' | 'dataPoints'
  order: 'asc' | 'desc'
  page: number
  limit: number
}

const READ = { timeoutMS: 5_000 }

const filterOf = ({ deviceIds, fromMs, toMs, status }: ListQuery): Filter<SignalDocument> => ({
  ...(deviceIds.length > 0 && { deviceId: { $in: deviceIds } }),
  ...((fromMs !== undefined || toMs !== undefined) && {
    timestamp: { ...(fromMs !== undefined && { $gte: fromMs }), ...(toMs !== undefined && { $lt: toMs }) },
  }),
  ...(status !== undefined && { status: status as SignalDocument['status'] }),
})

/** One page of signals, and how many there are; `_id` breaks ties, so that no signal stands on two pages. */
export const listSignals = async (
  store: Store,
  query: ListQuery,
): Promise<{ signals: SignalDocument[]; total: number }> => {
  const filter = filterOf(query)
  const direction = query.order === 'asc' ? 1 : -1
  const sort: Sort = { [query.sort]: direction, _id: direction }
  const [signals, total] = await Promise.all([
    store.signals
      .find(filter, READ)
      .sort(sort)
      .skip((query.page - 1) * query.limit)
      .limit(query.limit)
      .toArray(),
    Object.keys(filter).length === 0
      ? store.signals.estimatedDocumentCount(READ)
      : store.signals.countDocuments(filter, READ),
  ])
  return { signals, total }
}

export const findSignal = (store: Store, id: ObjectId): Promise<SignalDocument | null> =>
  store.signals.findOne({ _id: id }, READ)

export const findFile = (store: Store, id: ObjectId): Promise<FileDocument | null> =>
  store.files.findOne({ _id: id }, READ)

/** The raw bytes of a file that we wrote: always one chunk. Undefined when there are none. */
export const readRaw = async (store: Store, fileId: ObjectId): Promise<Buffer | undefined> => {
  const chunk = await store.chunks.findOne({ files_id: fileId, n: 0 }, READ)
  return chunk === null ? undefined : Buffer.from(chunk.data.buffer)
}
