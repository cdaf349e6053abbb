import { ObjectId } from 'mongodb'
import { afterAll, beforeEach, expect, it } from 'vitest'
import { ensureRetention, sweepExpired } from '#runtime/retention.ts'
import { openStore, storeBatch } from '#runtime/signal-store.ts'
import { storeUri } from '../e2e/cluster.ts'
import { entry } from './entry.ts'

const NOW = new Date('2026-06-30T12:00:00Z')
const DAY_MS = 86_400_000
const store = openStore(await storeUri(), 'integration-retention', 'test')

beforeEach(() => store.db.dropDatabase())
afterAll(async () => {
  await store.db.dropDatabase()
  await store.client.close()
})

const expiryOf = async (collection: { indexes: () => Promise<{ name?: string; expireAfterSeconds?: number }[]> }) =>
  (await collection.indexes()).find(({ name }) => name === 'retention')?.expireAfterSeconds

it('the store expires signals first, then their files, then the chunks', async () => {
  expect(await ensureRetention(store, 30)).toBe(true)
  expect([await expiryOf(store.signals), await expiryOf(store.files), await expiryOf(store.chunks)]).toEqual([
    2_592_000, 2_595_600, 2_599_200,
  ])
})

it('a changed retention changes what is there, and the same one changes nothing', async () => {
  await ensureRetention(store, 30)
  expect(await ensureRetention(store, 7)).toBe(true)
  expect(await ensureRetention(store, 7)).toBe(true)
  expect(await expiryOf(store.signals)).toBe(604_800)
})

it('a sweep deletes what is older than the retention and nothing else', async () => {
  const aged = (days: number) => ({ _id: new ObjectId(), at: new Date(NOW.getTime() - days * DAY_MS) })
  const ages = [...Array.from({ length: 1_100 }, () => aged(31)), aged(29), aged(0)]
  await store.signals.insertMany(ages.map(({ _id, at }) => ({ _id, processedAt: at })) as never)
  await store.files.insertMany(ages.map(({ _id, at }) => ({ _id, uploadDate: at })) as never)
  await store.chunks.insertMany(ages.map(({ _id, at }) => ({ _id, expireBase: at })) as never)
  expect(await sweepExpired(store, 30, NOW)).toBe(3_300)
  expect([
    await store.signals.countDocuments(),
    await store.files.countDocuments(),
    await store.chunks.countDocuments(),
  ]).toEqual([2, 2, 2])
  expect(await sweepExpired(store, 30, NOW)).toBe(0)
})

it('raw bytes that an earlier attempt left expire no sooner than the signal of the later one', async () => {
  const late = entry({ messageId: 'b'.repeat(32) })
  expect(await storeBatch(store, [late], new Date(NOW.getTime() - 3 * DAY_MS))).toEqual(['stored'])
  await store.signals.deleteMany({}) // as if that attempt had come no further
  expect(await storeBatch(store, [late], NOW)).toEqual(['stored'])
  const [file, chunk] = [await store.files.findOne({}), await store.chunks.findOne({})]
  expect([file?.uploadDate, chunk?.expireBase]).toEqual([NOW, NOW])
})
