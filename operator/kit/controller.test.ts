import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { type ControllerOptions, createController } from './controller.ts'
import { currentDeadline } from './deadline.ts'
import { TerminalError } from './errors.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const world = (change: Partial<ControllerOptions>) => {
  const told: string[] = []
  const metrics = {
    began: () => told.push('began'),
    ended: (result: string) => told.push(result),
    terminal: () => told.push('terminal'),
    panicked: () => told.push('panicked'),
    timedOut: () => told.push('timed out'),
  }
  const none = () => undefined
  const controller = createController({
    workers: 8,
    reconcile: async () => undefined,
    synced: () => true,
    stale: () => false,
    failed: (key, error) => told.push(`${key}: ${error.message}`),
    metrics,
    queueMetrics: { added: none, retried: none, started: none, finished: none },
    ...change,
  })
  return { controller, told }
}

it('keys that came before the start are worked on once it leads and its caches are filled', async () => {
  let synced = false
  const { controller, told } = world({ synced: () => synced })
  controller.enqueue('a')
  controller.enqueue('a')
  void controller.start()
  await vi.advanceTimersByTimeAsync(1_000)
  expect(told).toEqual([])
  synced = true
  await vi.advanceTimersByTimeAsync(50)
  expect(told).toEqual(['began', 'success'])
})

it('caches that are not filled after two minutes end it', async () => {
  const { controller } = world({ synced: () => false })
  const started = expect(controller.start()).rejects.toThrow('the caches are not filled after 120 s')
  await vi.advanceTimersByTimeAsync(121_000)
  await started
})

it.each([
  ['a look later', async () => ({ afterMs: 10_000 }), ['began', 'requeue_after']],
  [
    'a failure',
    async () => {
      throw new Error('no')
    },
    ['began', 'error', 'a: no'],
  ],
  [
    'a failure for good',
    async () => {
      throw new TerminalError('never')
    },
    ['began', 'terminal', 'error', 'a: never'],
  ],
  [
    'a bug',
    async () => {
      throw new TypeError('a is undefined')
    },
    ['began', 'panicked', 'error', 'a: a is undefined'],
  ],
  [
    'a network that is down, which is no bug',
    async () => {
      throw new TypeError('fetch failed', { cause: new Error('ECONNREFUSED') })
    },
    ['began', 'error', 'a: fetch failed'],
  ],
])('a reconcile that ends in %s is counted as such', async (_, reconcile, expected) => {
  const { controller, told } = world({ reconcile })
  await controller.start()
  controller.enqueue('a')
  await vi.advanceTimersByTimeAsync(0)
  expect(told).toEqual(expected)
})

it('a key waits until the cache shows what was written of it', async () => {
  let stale = true
  const { controller, told } = world({ stale: () => stale })
  await controller.start()
  controller.enqueue('a')
  await vi.advanceTimersByTimeAsync(200)
  expect(told).toEqual([])
  stale = false
  await vi.advanceTimersByTimeAsync(50)
  expect(told).toEqual(['began', 'success'])
})

/** Works until its deadline. */
const untilDeadline = () =>
  new Promise<undefined>((_, reject) => {
    const deadline = currentDeadline()
    deadline?.addEventListener('abort', () => reject(deadline.reason))
  })

it('a reconcile that takes too long is given up, and the key is tried again', async () => {
  const { controller, told } = world({ reconcile: untilDeadline })
  await controller.start()
  controller.enqueue('a')
  await vi.advanceTimersByTimeAsync(120_000)
  expect(told).toEqual(['began', 'timed out', 'error', 'a: a reconcile is not done after 120 s'])
  await vi.advanceTimersByTimeAsync(250)
  expect(told.at(-1)).toBe('began')
})

it('one that no longer leads gives up what is under way and begins nothing', async () => {
  const { controller, told } = world({ reconcile: untilDeadline })
  await controller.start()
  controller.enqueue('a')
  controller.abandon(new Error('the lease is lost'))
  controller.enqueue('b')
  await vi.advanceTimersByTimeAsync(0)
  expect(told).toEqual(['began', 'error', 'a: the lease is lost', 'b: the lease is lost'])
})

it('stopping waits for what is under way, then gives it up and names it', async () => {
  const { controller, told } = world({ reconcile: untilDeadline })
  await controller.start()
  controller.enqueue('a')
  const stopped = controller.stop()
  await vi.advanceTimersByTimeAsync(14_999)
  expect(told).toEqual(['began'])
  await vi.advanceTimersByTimeAsync(1)
  expect(await stopped).toEqual(['a'])
  await vi.advanceTimersByTimeAsync(0)
  expect(told).toEqual(['began', 'error', 'a: the process ends'])
})
