import { expect, it } from 'vitest'
import { createKept } from './kept.ts'

class Lost extends Error {}

/** A server of values that counts what is read, and a clock. */
const world = () => {
  let nowMs = 0
  const values = new Map<string, string | Error>()
  const reads: string[] = []
  const kept = createKept<string>(
    (error) => error instanceof Lost,
    () => nowMs,
  )
  return {
    kept,
    values,
    reads,
    pass: (ms: number) => {
      nowMs += ms
    },
    get: async (key: string) => {
      const value = kept.get(key, async () => {
        reads.push(key)
        const value = values.get(key)
        if (value === undefined || value instanceof Error) throw value ?? new Lost(key)
        return value
      })
      // What is read in the background is there by the next turn.
      return value.finally(() => new Promise((resolve) => setImmediate(resolve)))
    },
  }
}

it('those who ask at once for what is not known share one read', async () => {
  const { get, values, reads } = world()
  values.set('a', '1')
  expect(await Promise.all([get('a'), get('a'), get('a')])).toEqual(['1', '1', '1'])
  expect(reads).toEqual(['a'])
})

it('a value that changes is seen within a minute by one who asks every 5 s, and nobody waits for it', async () => {
  const { get, values, pass } = world()
  values.set('a', '1')
  await get('a')
  values.set('a', '2')
  let passedMs = 0
  while ((await get('a')) === '1') {
    pass(5_000)
    passedMs += 5_000
  }
  expect(passedMs).toBeLessThanOrEqual(60_000)
})

it('10,000 values that are asked for every 5 s are read 10 times a second, each in its turn', async () => {
  const { get, values, reads, pass } = world()
  const keys = Array.from({ length: 2_000 }, (_, index) => `k${index}`)
  for (const key of keys) values.set(key, '1')
  await Promise.all(keys.map(get))
  reads.length = 0
  pass(60_000)
  for (let second = 0; second < 250; second += 5) {
    await Promise.all(keys.map(get))
    pass(5_000)
  }
  // Every 5 s the bucket holds no more than its 20.
  expect(reads.length).toBeLessThanOrEqual(2_520)
  const counts = keys.map((key) => reads.filter((read) => read === key).length)
  expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1)
}, 30_000)

it('a value that is found lost is an error from the next look on', async () => {
  const { get, values, pass } = world()
  values.set('a', '1')
  await get('a')
  values.delete('a')
  pass(50_000)
  expect(await get('a')).toBe('1')
  await expect(get('a')).rejects.toThrow(Lost)
})

it('a server that cannot be asked leaves the value as it was', async () => {
  const { get, values, pass } = world()
  values.set('a', '1')
  await get('a')
  values.set('a', new Error('no connection'))
  pass(50_000)
  await get('a')
  expect(await get('a')).toBe('1')
})

it('what could not be read at first is asked for again', async () => {
  const { get, values } = world()
  await expect(get('a')).rejects.toThrow(Lost)
  values.set('a', '1')
  expect(await get('a')).toBe('1')
})

it('a value that is told is not read', async () => {
  const { kept, get, reads } = world()
  kept.set('a', '1')
  expect([await get('a'), reads]).toEqual(['1', []])
})

it('a value that is presumed is used at once and read in its turn, unless it is known', async () => {
  const { kept, get, values, reads } = world()
  values.set('a', '2')
  kept.presume('a', '1')
  expect(await get('a')).toBe('1')
  expect([await get('a'), reads]).toEqual(['2', ['a']])
  kept.presume('a', '1')
  expect(await get('a')).toBe('2')
})
