import { expect, it } from 'vitest'
import { createFastPath } from './fast-path.ts'

const scripted = () => {
  let [now, bypasses, asked] = [0, 0, 0]
  const path = createFastPath(
    () => bypasses++,
    () => now,
  )
  return {
    ask: (answer: () => Promise<string>) =>
      path(() => {
        asked++
        return answer()
      }),
    at: (ms: number) => {
      now = ms
    },
    counts: () => ({ asked, bypasses }),
  }
}
const good = async () => 'answer'
const bad = () => Promise.reject(new Error('away'))

it('hands the answer on', async () => {
  const { ask, counts } = scripted()
  expect(await ask(good)).toBe('answer')
  expect(counts()).toEqual({ asked: 1, bypasses: 0 })
})

it('asks nothing for a second after a failure, and tells each bypass', async () => {
  const { ask, at, counts } = scripted()
  expect(await ask(bad)).toBeUndefined()
  at(999)
  expect(await ask(good)).toBeUndefined()
  expect(counts()).toEqual({ asked: 1, bypasses: 2 })
  at(1000)
  expect(await ask(good)).toBe('answer')
  expect(await ask(good)).toBe('answer')
  expect(counts()).toEqual({ asked: 3, bypasses: 2 })
})

it('sends one ahead when the rest is over; the others do not wait for it', async () => {
  const { ask, at, counts } = scripted()
  await ask(bad)
  at(1000)
  const late = Promise.withResolvers<string>()
  const first = ask(() => late.promise)
  expect(await ask(good)).toBeUndefined()
  late.resolve('late')
  expect(await first).toBe('late')
  expect(await ask(good)).toBe('answer')
  expect(counts()).toEqual({ asked: 3, bypasses: 2 })
})
