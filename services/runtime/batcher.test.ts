import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createBatcher } from './batcher.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const limits = { items: 3, bytes: 100, lingerMs: 5, inFlight: 2 }

const manual = () => {
  const batches: string[][] = []
  const finish: (() => void)[] = []
  const batcher = createBatcher<string>(limits, (items) => {
    batches.push(items)
    return new Promise((resolve) => finish.push(resolve))
  })
  return {
    batcher,
    batches,
    finishOne: async () => {
      finish.shift()?.()
      await vi.advanceTimersByTimeAsync(0)
    },
  }
}

describe('a batch', () => {
  it('of a lone item waits for nothing', async () => {
    const { batcher, batches } = manual()
    batcher.add('a', 1)
    await vi.advanceTimersByTimeAsync(0)
    expect(batches).toEqual([['a']])
  })
  it('gathers what comes while another is handled, until it is full', async () => {
    const { batcher, batches } = manual()
    batcher.add('a', 1)
    await vi.advanceTimersByTimeAsync(0)
    for (const item of ['b', 'c', 'd']) batcher.add(item, 1)
    await vi.advanceTimersByTimeAsync(0)
    expect(batches).toEqual([['a'], ['b', 'c', 'd']])
  })
  it('or until its oldest item has waited long enough', async () => {
    const { batcher, batches } = manual()
    batcher.add('a', 1)
    await vi.advanceTimersByTimeAsync(0)
    batcher.add('b', 1)
    await vi.advanceTimersByTimeAsync(4)
    expect(batches).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(1)
    expect(batches).toEqual([['a'], ['b']])
  })
  it('stays below the bytes, but for an item that is larger alone', async () => {
    const { batcher, batches, finishOne } = manual()
    for (const [item, bytes] of [
      ['a', 60],
      ['b', 60],
      ['c', 500],
    ] as const)
      batcher.add(item, bytes)
    await vi.advanceTimersByTimeAsync(10)
    await finishOne()
    expect(batches).toEqual([['a'], ['b'], ['c']])
  })
  it('is never one of more than two in flight', async () => {
    const { batcher, batches, finishOne } = manual()
    for (let index = 0; index < 9; index++) batcher.add(`m${index}`, 1)
    await vi.advanceTimersByTimeAsync(50)
    expect(batches).toHaveLength(2)
    await finishOne()
    expect(batches).toHaveLength(3)
  })
})

it('draining resolves when everything that was added has been handled', async () => {
  const { batcher, batches, finishOne } = manual()
  for (const item of ['a', 'b', 'c', 'd']) batcher.add(item, 1)
  let drained = false
  void batcher.drain().then(() => {
    drained = true
  })
  await vi.advanceTimersByTimeAsync(10)
  await finishOne()
  expect(drained).toBe(false)
  await finishOne()
  expect(drained).toBe(true)
  expect(batches.flat()).toEqual(['a', 'b', 'c', 'd'])
})
