import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createWorkQueue, type Done } from './work-queue.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** A queue whose work is finished by hand. */
const manual = (workers = 1) => {
  const started: string[] = []
  const finish: (() => void)[] = []
  const queue = createWorkQueue(
    workers,
    (key) => {
      started.push(key)
      return new Promise<Done>((resolve) => finish.push(() => resolve(undefined)))
    },
    () => undefined,
  )
  return {
    queue,
    started,
    finishOne: async () => {
      finish.shift()?.()
      await vi.advanceTimersByTimeAsync(0)
    },
  }
}

it('a key that waits is queued once', async () => {
  const { queue, started, finishOne } = manual()
  for (const key of ['a', 'b', 'b', 'b']) queue.add(key)
  await finishOne()
  await finishOne()
  expect(started).toEqual(['a', 'b'])
})

it('a key that comes while it is worked on is worked on once more, never at the same time', async () => {
  const { queue, started, finishOne } = manual(8)
  queue.add('a')
  queue.add('a')
  queue.add('a')
  expect(started).toEqual(['a'])
  await finishOne()
  expect(started).toEqual(['a', 'a'])
  await finishOne()
  expect(started).toEqual(['a', 'a'])
})

it('a key that fails waits twice as long each time, and others do not wait for it', async () => {
  const tries: string[] = []
  const queue = createWorkQueue(
    1,
    async (key) => {
      tries.push(key)
      if (key === 'bad') throw new Error('no')
      return undefined
    },
    () => undefined,
  )
  queue.add('bad')
  queue.add('good')
  await vi.advanceTimersByTimeAsync(0)
  expect(tries).toEqual(['bad', 'good'])
  await vi.advanceTimersByTimeAsync(250)
  expect(tries.filter((key) => key === 'bad')).toHaveLength(2)
  await vi.advanceTimersByTimeAsync(499)
  expect(tries.filter((key) => key === 'bad')).toHaveLength(2)
  await vi.advanceTimersByTimeAsync(1)
  expect(tries.filter((key) => key === 'bad')).toHaveLength(3)
})

it('of two delays the earlier counts', async () => {
  const { queue, started } = manual()
  queue.addAfter('a', 1000)
  queue.addAfter('a', 100)
  queue.addAfter('a', 5000)
  await vi.advanceTimersByTimeAsync(100)
  expect(started).toEqual(['a'])
})

it('closing waits for the work under way and starts none', async () => {
  const { queue, started, finishOne } = manual()
  queue.add('a')
  queue.add('b')
  let closed = false
  void queue.close().then(() => {
    closed = true
  })
  await vi.advanceTimersByTimeAsync(0)
  expect(closed).toBe(false)
  await finishOne()
  expect(closed).toBe(true)
  expect(started).toEqual(['a'])
})
