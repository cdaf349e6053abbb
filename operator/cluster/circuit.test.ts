import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createCircuit } from './circuit.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

type Way = 'answers' | 'refuses' | 'hangs' | 'is slow'

/** Servers that count what they are asked; all of them go one way until told another. */
const world = () => {
  const circuit = createCircuit(() => performance.now())
  const asked = { asks: 0, probes: 0, most: 0 }
  let probing = 0
  let way: Way = 'answers'
  const go = (): Promise<string> => {
    switch (way) {
      case 'answers':
        return Promise.resolve('an answer')
      case 'refuses':
        return Promise.reject(new Error('ECONNREFUSED'))
      case 'hangs':
        return new Promise((_, reject) => setTimeout(() => reject(new Error('after 8 s')), 8_000))
      case 'is slow':
        return new Promise((resolve) => setTimeout(() => resolve('an answer'), 4_000))
      default: {
        const missed: never = way
        throw new Error(`unhandled ${missed}`)
      }
    }
  }
  const ask = (server = 'one'): Promise<string> =>
    circuit
      .ask(
        server,
        () => {
          asked.asks++
          return go()
        },
        () => {
          asked.probes++
          asked.most = Math.max(asked.most, ++probing)
          return go().finally(() => probing--)
        },
      )
      .catch((error: Error) => error.message)
  return {
    asked,
    ask,
    /** Asks, and says what came of it and after how many milliseconds. */
    timed: async (): Promise<[string, number]> => {
      const startedAt = performance.now()
      const said = ask().then((answer): [string, number] => [answer, Math.round(performance.now() - startedAt)])
      await vi.advanceTimersByTimeAsync(20_000)
      return said
    },
    goes: (now: Way) => {
      way = now
    },
  }
}

it('one that answers is asked, whatever else happens', async () => {
  const { ask, asked } = world()
  expect(await Promise.all([ask(), ask(), ask()])).toEqual(['an answer', 'an answer', 'an answer'])
  expect(asked).toEqual({ asks: 3, probes: 0, most: 0 })
})

it('those who wait for one that hangs are let go after 3 s, and who comes later at once', async () => {
  const { timed, goes, ask } = world()
  goes('hangs')
  const others = [ask(), ask(), ask()]
  expect(await timed()).toEqual(['the broker does not answer', 3_000])
  expect(await Promise.all(others)).toEqual(Array(3).fill('the broker does not answer'))
  const [message, waitedMs] = await timed()
  expect([message.length > 0, waitedMs]).toEqual([true, 0])
})

it('one probe at a time looks after a dead one, at most once a second', async () => {
  const { ask, asked, goes, timed } = world()
  goes('hangs')
  await timed()
  const before = asked.asks
  for (let tenth = 0; tenth < 300; tenth++) {
    await ask()
    await vi.advanceTimersByTimeAsync(100)
  }
  expect(asked.asks).toBe(before)
  expect(asked.most).toBe(1)
  // Each hangs for 8 s and is followed by a second of rest.
  expect(asked.probes).toBe(4)
})

it('one that answers again is asked again', async () => {
  const { ask, goes } = world()
  goes('refuses')
  for (let count = 0; count < 5; count++) await ask()
  goes('answers')
  expect(await ask()).toBe('ECONNREFUSED')
  await vi.advanceTimersByTimeAsync(1_000)
  await ask()
  await vi.advanceTimersByTimeAsync(1)
  expect(await ask()).toBe('an answer')
})

it('two lost connections are no dead server', async () => {
  const { ask, asked, goes } = world()
  goes('refuses')
  await ask()
  await ask()
  goes('answers')
  expect(await ask()).toBe('an answer')
  expect(asked).toEqual({ asks: 3, probes: 0, most: 0 })
})

it('one that answers late is alive from then on', async () => {
  const { ask, goes, timed } = world()
  goes('is slow')
  expect(await timed()).toEqual(['the broker does not answer', 3_000])
  goes('answers')
  expect(await ask()).toBe('an answer')
})

it('the death of one is nothing to another', async () => {
  const { ask, goes } = world()
  goes('refuses')
  for (let count = 0; count < 5; count++) await ask('one')
  goes('answers')
  expect(await ask('two')).toBe('an answer')
})

it('what is known of one that nobody has asked in ten minutes is forgotten', async () => {
  const { ask, goes } = world()
  goes('refuses')
  for (let count = 0; count < 5; count++) await ask('one')
  goes('answers')
  await vi.advanceTimersByTimeAsync(660_000)
  await ask('two')
  expect(await ask('one')).toBe('an answer')
})
