import { type Filter, ObjectId, type Sort } from 'mongodb'
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

/** The smallest id of a second: ids begin with the second of the recording's timestamp. */
const firstIdOf = (seconds: number): ObjectId =>
  new ObjectId(
    `${Math.min(Math.max(0, seconds), 2 ** 32 - 1)
      .toString(16)
      .padStart(8, '0')}${'0'.repeat(16)}`,
  )

const secondOf = (timestampMs: number): number => Math.floor(timestampMs / 1000)

/** The ids that a span of timestamps can have: a condition on `_id` that every store answers by its index. */
const idsWithin = ({ fromMs, toMs }: ListQuery): Filter<SignalDocument> => ({
  ...((fromMs !== undefined || toMs !== undefined) && {
    _id: {
      ...(fromMs !== undefined && { $gte: firstIdOf(secondOf(fromMs)) }),
      ...(toMs !== undefined && { $lt: firstIdOf(secondOf(toMs) + 1) }),
    },
  }),
})

/**
 * The ids among which a page by timestamp lies. DocumentDB sorts a whole collection for such a page (157 ms for 200,000
 * signals, seconds for a million), but reads ids in their order by the index (2 ms), and ids are in the order of
 * timestamps but within a second: so the page ends in the second of the id at its end.
 */
const idsOfPage = async (store: Store, filter: Filter<SignalDocument>, query: ListQuery) => {
  const last = await store.signals
    .find(filter, { ...READ, projection: { _id: 1 } })
    .sort({ _id: query.order === 'asc' ? 1 : -1 })
    .skip(query.page * query.limit - 1)
    .limit(1)
    .next()
  if (last === null) return {}
  const second = secondOf(last._id.getTimestamp().getTime())
  return query.order === 'asc' ? { $lt: firstIdOf(second + 1) } : { $gte: firstIdOf(second) }
}

/** One page of signals, and how many there are; `_id` breaks ties, so that no signal stands on two pages. */
export const listSignals = async (
  store: Store,
  query: ListQuery,
): Promise<{ signals: SignalDocument[]; total: number }> => {
  const filter = { ...filterOf(query), ...idsWithin(query) }
  const direction = query.order === 'asc' ? 1 : -1
  const sort: Sort = { [query.sort]: direction, _id: direction }
  const isNarrowed = query.sort === 'timestamp' && query.deviceIds.length === 0
  const ids = { ...filter._id, ...(isNarrowed && (await idsOfPage(store, filter, query))) }
  const narrowed = Object.keys(ids).length === 0 ? filter : { ...filter, _id: ids }
  const [signals, total] = await Promise.all([
    store.signals
      .find(narrowed, READ)
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

/** The raw bytes of a file that we wrote: always one chunk, with the file's own id. Undefined when there are none. */
export const readRaw = async (store: Store, fileId: ObjectId): Promise<Buffer | undefined> => {
  const chunk = await store.chunks.findOne({ _id: fileId }, READ)
  return chunk === null ? undefined : Buffer.from(chunk.data.buffer)
}
