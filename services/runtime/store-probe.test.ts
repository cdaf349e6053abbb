import { type Db, MongoNetworkError, MongoServerError } from 'mongodb'
import { expect, it } from 'vitest'
import { takesWrites } from './store-probe.ts'

/** A store whose writes end like this, and what was deleted from it. */
const storeWith = (write: () => Promise<unknown>, deleted: unknown[] = []): Db => {
  const collection = { updateOne: write, deleteOne: async (filter: unknown) => deleted.push(filter) }
  return { collection: () => collection } as unknown as Db
}
const refusing = (code: number) => storeWith(() => Promise.reject(new MongoServerError({ message: 'no', code })))

it('a store that takes a write takes writes, and has nothing of it afterwards', async () => {
  const deleted: unknown[] = []
  expect(await takesWrites(storeWith(async () => ({}), deleted))).toBe(true)
  expect(deleted).toEqual([{ _id: 'probe' }])
})

it.each([
  ['has no primary', 10107],
  ['has a full disk', 14031],
  ['has no majority', 64],
])('a store that %s takes none', async (_, code) => expect(await takesWrites(refusing(code))).toBe(false))

it('a store that does not answer takes none', async () =>
  expect(await takesWrites(storeWith(() => Promise.reject(new MongoNetworkError('reset'))))).toBe(false))

it.each([
  ['this user may not write here', 13],
  ['another process probes at this moment', 11_000],
])('that %s says nothing against the store', async (_, code) => expect(await takesWrites(refusing(code))).toBe(true))
