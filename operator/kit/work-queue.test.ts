import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { TerminalError } from './errors.ts'
import { createWorkQueue, type Done, LIVE, ROUTINE } from './work-queue.ts'

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
  queue.start()
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
  queue.start()
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

it('what was added before the start waits for it, once each', async () => {
  const started: string[] = []
  const queue = createWorkQueue(
    8,
    async (key) => void started.push(key),
    () => undefined,
  )
  for (const key of ['a', 'b', 'a']) queue.add(key)
  await vi.advanceTimersByTimeAsync(0)
  expect(started).toEqual([])
  queue.start()
  expect(started).toEqual(['a', 'b'])
})

it.each([
  [
    'the higher priority goes first',
    [
      ['a', ROUTINE],
      ['b', LIVE],
    ],
    ['b', 'a'],
  ],
  [
    'within a priority the first that came goes first',
    [
      ['a', LIVE],
      ['b', LIVE],
    ],
    ['a', 'b'],
  ],
  [
    'a key that waits rises',
    [
      ['a', ROUTINE],
      ['b', ROUTINE],
      ['b', LIVE],
    ],
    ['b', 'a'],
  ],
  [
    'a key that waits never sinks',
    [
      ['a', LIVE],
      ['b', LIVE],
      ['a', ROUTINE],
    ],
    ['a', 'b'],
  ],
] as [string, [string, number][], string[]][])('%s', async (_, added, expected) => {
  const { queue, started, finishOne } = manual()
  queue.add('first')
  for (const [key, priority] of added) queue.add(key, priority)
  expect(
    queue
      .state()
      .waiting.values()
      .reduce((sum, count) => sum + count, 0),
  ).toBe(expected.length)
  for (const _ of added) await finishOne()
  expect(started).toEqual(['first', ...expected])
})

it('a look that a worker asked for goes after what changes now', async () => {
  const started: string[] = []
  const queue = createWorkQueue(
    1,
    async (key) => {
      started.push(key)
      await new Promise((resolve) => setTimeout(resolve, 100))
      return key === 'looked at' ? { afterMs: 50 } : undefined
    },
    () => undefined,
  )
  queue.start()
  queue.add('looked at')
  queue.add('working')
  await vi.advanceTimersByTimeAsync(170)
  queue.add('live')
  await vi.advanceTimersByTimeAsync(200)
  expect(started).toEqual(['looked at', 'working', 'live', 'looked at'])
})

it('a worker that throws before it returns a promise fails its key only', async () => {
  const failed: string[] = []
  const done: string[] = []
  const queue = createWorkQueue(
    1,
    (key) => {
      if (key === 'bad') throw new TypeError('no such field')
      done.push(key)
      return Promise.resolve(undefined)
    },
    (key, error) => failed.push(`${key}: ${error.message}`),
  )
  queue.start()
  queue.add('bad')
  queue.add('good')
  await vi.advanceTimersByTimeAsync(0)
  expect([failed, done]).toEqual([['bad: no such field'], ['good']])
})

it('a terminal error is told and not tried again until the key comes again', async () => {
  let tries = 0
  const queue = createWorkQueue(
    1,
    async () => {
      tries++
      throw new TerminalError('the spec says nonsense')
    },
    () => undefined,
  )
  queue.start()
  queue.add('a')
  await vi.advanceTimersByTimeAsync(3_600_000)
  expect(tries).toBe(1)
  queue.add('a')
  await vi.advanceTimersByTimeAsync(0)
  expect(tries).toBe(2)
})

it('closing waits for its limit only, and names what it did not wait for', async () => {
  const { queue } = manual()
  queue.add('a')
  const left = queue.close(1_000)
  await vi.advanceTimersByTimeAsync(1_000)
  expect(await left).toEqual(['a'])
})

it('tells how long keys waited and were worked on', async () => {
  const told: string[] = []
  const queue = createWorkQueue(
    1,
    () => new Promise((resolve) => setTimeout(resolve, 2_000, undefined)),
    () => undefined,
    {
      added: () => told.push('added'),
      retried: () => told.push('retried'),
      started: (seconds) => told.push(`waited ${seconds}`),
      finished: (seconds) => told.push(`worked ${seconds}`),
    },
  )
  queue.start()
  queue.add('a')
  queue.add('b')
  queue.add('b')
  await vi.advanceTimersByTimeAsync(500)
  expect(queue.state().workingSeconds).toEqual([0.5])
  await vi.advanceTimersByTimeAsync(3_500)
  expect(told).toEqual(['added', 'waited 0', 'added', 'worked 2', 'waited 2', 'worked 2'])
})
