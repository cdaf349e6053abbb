import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type BatchLimits, createBatcher } from './batcher.ts'

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
  it('is started for the oldest of what a full one left over, too', async () => {
    const { batcher, batches } = manual()
    for (const item of ['a', 'b', 'c', 'd']) batcher.add(item, 1)
    await vi.advanceTimersByTimeAsync(0)
    expect(batches).toEqual([['a', 'b', 'c']])
    await vi.advanceTimersByTimeAsync(5)
    expect(batches).toEqual([['a', 'b', 'c'], ['d']])
  })
  it('lingers from when its oldest item came, not from when there was room', async () => {
    const { batcher, batches, finishOne } = manual()
    for (const item of ['a', 'b', 'c', 'd', 'e', 'f', 'g']) batcher.add(item, 1)
    await vi.advanceTimersByTimeAsync(5)
    expect(batches).toHaveLength(2)
    await finishOne()
    expect(batches).toEqual([['a', 'b', 'c'], ['d', 'e', 'f'], ['g']])
  })
  it('waits to fill while many come, and no longer once few do', async () => {
    const batches: number[] = []
    const batcher = createBatcher<number>({ items: 200, bytes: 1e6, lingerMs: 50, inFlight: 2 }, async (items) => {
      batches.push(items.length)
    })
    const come = async (count: number, everyMs: number): Promise<number[]> => {
      batches.length = 0
      for (let i = 0; i < count; i++) {
        batcher.add(i, 1)
        await vi.advanceTimersByTimeAsync(everyMs)
      }
      return [...batches]
    }
    expect((await come(1_000, 1)).slice(-5)).toEqual([50, 50, 50, 50, 50])
    await come(50, 50)
    expect(await come(10, 10)).toEqual(Array(10).fill(1))
  })
  it('does not linger while draining', async () => {
    const { batcher, batches } = manual()
    batcher.add('a', 1)
    await vi.advanceTimersByTimeAsync(0)
    batcher.add('b', 1)
    void batcher.drain()
    await vi.advanceTimersByTimeAsync(0)
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

it('draining an empty batcher resolves', async () => {
  const { batcher } = manual()
  const drained = batcher.drain()
  await vi.advanceTimersByTimeAsync(0)
  await drained
})

type Step = { kind: 'add'; bytes: number } | { kind: 'finish'; which: number } | { kind: 'wait'; ms: number }

const steps = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ kind: fc.constant('add' as const), bytes: fc.integer({ min: 0, max: 150 }) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('finish' as const), which: fc.nat(3) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 8 }) }) },
  ),
  { maxLength: 80 },
)

/** Runs the steps on a batcher that is watched, then drains it. */
const watched = (given: BatchLimits) => {
  const bytes: number[] = []
  const addedAt: number[] = []
  const handled: number[] = []
  let open: (() => void)[] = []
  const finish = (which: number) => {
    const done = open[which % open.length]
    open = open.filter((other) => other !== done)
    done?.()
  }
  const batcher = createBatcher<number>(given, (batch) => {
    const size = batch.reduce((sum, item) => sum + (bytes[item] as number), 0)
    expect(batch.length).toBeGreaterThan(0)
    expect(batch.length).toBeLessThanOrEqual(given.items)
    if (batch.length > 1) expect(size).toBeLessThanOrEqual(given.bytes)
    handled.push(...batch)
    const ended = new Promise<void>((resolve) => open.push(resolve))
    expect(open.length).toBeLessThanOrEqual(given.inFlight)
    return ended
  })
  const take = async (step: Step) => {
    if (step.kind === 'add') {
      bytes.push(step.bytes)
      addedAt.push(performance.now())
      batcher.add(bytes.length - 1, step.bytes)
    } else if (step.kind === 'finish') finish(step.which)
    else await vi.advanceTimersByTimeAsync(step.ms)
    // What waited long enough is on its way, unless every place is taken.
    if (step.kind === 'wait' && step.ms > 0 && open.length < given.inFlight)
      for (const at of addedAt.slice(handled.length)) expect(performance.now() - at).toBeLessThanOrEqual(given.lingerMs)
  }
  const drain = async () => {
    let drained = false
    void batcher.drain().then(() => {
      drained = true
    })
    for (let left = bytes.length + 1; left > 0 && !drained; left--) {
      await vi.advanceTimersByTimeAsync(0)
      if (open.length > 0) expect(drained).toBe(false)
      finish(0)
      await vi.advanceTimersByTimeAsync(0)
    }
    expect(drained).toBe(true)
    expect(handled).toEqual(bytes.map((_, item) => item))
  }
  return { take, drain }
}

it('every item is handled once and in order, within the limits, and in time, whatever comes when', () =>
  fc.assert(
    fc.asyncProperty(
      steps,
      fc.record({
        items: fc.integer({ min: 1, max: 5 }),
        bytes: fc.integer({ min: 1, max: 200 }),
        lingerMs: fc.integer({ min: 0, max: 10 }),
        inFlight: fc.integer({ min: 1, max: 3 }),
      }),
      async (given, limitsGiven) => {
        const { take, drain } = watched(limitsGiven)
        for (const step of given) await take(step)
        await drain()
      },
    ),
  ))
