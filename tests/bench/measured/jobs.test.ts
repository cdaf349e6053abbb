import { expect, it } from 'vitest'
import { doneAtMs, editFor } from './jobs.ts'

const JOB = { prefetch: 10, batch: 5, ms: 2_000 }

it.each([
  ['what comes to an idle server takes only its own time', 0, 1_000, 5, 1_500],
  ['what comes to a busy one waits for all before it', 3_000, 1_000, 5, 3_500],
])('%s', (_, freeAtMs, nowMs, count, expected) => expect(doneAtMs(freeAtMs, nowMs, count, 10)).toBe(expected))

it('a job waits for what is behind the pods only where there is something', () => {
  expect(editFor(JOB, undefined)[0]?.to).toBe('store: async (entries, lap) => (await delay(2000), 0) || storeBatch(')
  expect(editFor(JOB, 'http://behind/arm')[0]?.to).toContain("fetch('http://behind/arm?count=' + entries.length)")
})
