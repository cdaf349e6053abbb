import { afterAll, beforeAll, expect, it } from 'vitest'
import { openStore, storeBatch } from '#runtime/signal-store.ts'
import { takesWrites } from '#runtime/store-probe.ts'
import { readStoreSizes } from '#runtime/store-size.ts'
import { storeUri } from '../e2e/cluster.ts'
import { entry } from './entry.ts'

const store = openStore(await storeUri(), 'integration-store-size', 'test')

beforeAll(() => store.db.dropDatabase())
afterAll(async () => {
  await store.db.dropDatabase()
  await store.client.close()
})

it('the store says how much it holds: documents apart from raw bytes', async () => {
  await storeBatch(store, [entry({ messageId: '1'.repeat(32) }), entry({ messageId: '2'.repeat(32) })], new Date())
  const [documents, files] = await readStoreSizes(store)
  expect([documents, files]).toMatchObject([
    { store: 'mongodb', objects: 2 },
    { store: 'gridfs', objects: 2 },
  ])
  for (const size of [documents, files])
    for (const bytes of [size?.data, size?.storage, size?.index]) expect(bytes).toBeGreaterThan(0)
})

it('a store that serves takes the write that asks whether it does, and keeps nothing of it', async () => {
  expect(await takesWrites(store.db)).toBe(true)
  expect(await store.db.collection('store_probes').countDocuments()).toBe(0)
})
