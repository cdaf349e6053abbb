import { ObjectId } from 'mongodb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { objectIdHexFor } from '#contract/ids.ts'
import { type ListQuery, listSignals } from '#runtime/signal-reader.ts'
import { ensureIndexes, openStore, type SignalDocument } from '#runtime/signal-store.ts'
import { storeUri } from '../e2e/cluster.ts'

const FIRST_MS = 1_735_683_480_000
const DEVICES = ['a'.repeat(24), 'b'.repeat(24), 'c'.repeat(24)]
const store = openStore(await storeUri(), 'integration-reader', 'test')

/** 300 signals in 30 seconds, ten in each, so that most pages end within a second; some share even their millisecond. */
const signals = Array.from({ length: 300 }, (_, index) => {
  const timestamp = FIRST_MS + Math.floor(index / 10) * 1000 + ((index * 37) % 10) * 50
  const messageId = index.toString(16).padStart(32, '0')
  const _id = new ObjectId(objectIdHexFor(timestamp, messageId))
  return { _id, messageId, timestamp, deviceId: DEVICES[index % 3], status: 'processed' } as SignalDocument
})

beforeAll(async () => {
  await store.db.dropDatabase()
  await ensureIndexes(store)
  await store.signals.insertMany(signals)
})
afterAll(async () => {
  await store.db.dropDatabase()
  await store.client.close()
})

const query = (change: Partial<ListQuery>): ListQuery => ({
  deviceIds: [],
  sort: 'timestamp',
  order: 'desc',
  page: 1,
  limit: 7,
  ...change,
})

/** What the list must be, by sorting everything here. */
const expected = ({ deviceIds, fromMs = 0, toMs = Number.POSITIVE_INFINITY, order, page, limit }: ListQuery) => {
  const sign = order === 'asc' ? 1 : -1
  return signals
    .filter(({ deviceId }) => deviceIds.length === 0 || deviceIds.includes(deviceId))
    .filter(({ timestamp }) => timestamp >= fromMs && timestamp < toMs)
    .sort((a, b) => sign * (a.timestamp - b.timestamp || (a._id.toHexString() < b._id.toHexString() ? -1 : 1)))
    .slice((page - 1) * limit, page * limit)
    .map(({ messageId }) => messageId)
}

describe.each<[string, Partial<ListQuery>]>([
  ['everything, newest first', {}],
  ['everything, oldest first', { order: 'asc' }],
  ['a span that begins and ends within seconds', { fromMs: FIRST_MS + 3_120, toMs: FIRST_MS + 17_250 }],
  ['the same, oldest first', { fromMs: FIRST_MS + 3_120, toMs: FIRST_MS + 17_250, order: 'asc' }],
  ['one device', { deviceIds: [DEVICES[1] as string] }],
  ['two devices in a span', { deviceIds: DEVICES.slice(0, 2), toMs: FIRST_MS + 9_000, order: 'asc' }],
  ['a span in which nothing lies', { fromMs: FIRST_MS + 900_000 }],
])('the pages of %s', (_, change) => {
  it('are those of a whole sort, and the last is followed by an empty one', async () => {
    for (let page = 1; ; page++) {
      const asked = query({ ...change, page })
      const { signals: found } = await listSignals(store, asked)
      expect(found.map(({ messageId }) => messageId)).toEqual(expected(asked))
      if (found.length === 0) return
    }
  })
})
