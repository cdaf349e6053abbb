import { expect, it } from 'vitest'
import { createPace } from './pace.ts'

it('long work lets others have their turn every 10 ms', async () => {
  const pace = createPace()
  let [turns, working] = [0, true]
  const others = () => {
    turns++
    if (working) setImmediate(others)
  }
  setImmediate(others)
  const endMs = performance.now() + 100
  while (performance.now() < endMs) await pace()
  working = false
  expect(turns).toBeGreaterThanOrEqual(5)
})
