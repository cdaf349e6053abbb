import { pino } from 'pino'
import { expect, it } from 'vitest'
import type { UseDocument } from './device-registry.ts'
import { countKeyUses } from './key-uses.ts'

const log = pino({ level: 'silent' })
const NEVER_MS = 2_147_483_647

/** Counts into a store that refuses the writes at these positions. */
const counting = (refused: number[] = [], mostKeys = 100) => {
  const writes: UseDocument[][] = []
  let asked = 0
  const uses = countKeyUses(
    {
      addUses: async (added) => {
        if (refused.includes(asked++)) throw new Error('the store is away')
        writes.push(added)
      },
    },
    log,
    { flushMs: NEVER_MS, mostKeys },
  )
  return { uses, writes }
}

it('what was counted is written at the end, each key once, with its last use', async () => {
  const { uses, writes } = counting()
  uses.count('a', 'k1', 5)
  uses.count('b', 'k1', 6)
  uses.count('a', 'k1', 4)
  await uses.close()
  expect(writes).toEqual([
    [
      { _id: 'a|k1', uses: 2, lastUsedAt: new Date(5) },
      { _id: 'b|k1', uses: 1, lastUsedAt: new Date(6) },
    ],
  ])
})

it('what a store did not take is kept and written with what comes later', async () => {
  const { uses, writes } = counting([0])
  uses.count('a', 'k1', 1)
  await uses.close()
  uses.count('a', 'k1', 2)
  await uses.close()
  expect(writes).toEqual([[{ _id: 'a|k1', uses: 2, lastUsedAt: new Date(2) }]])
})

it('no more keys are kept than there is room for; those that are kept go on being counted', async () => {
  const { uses, writes } = counting([], 1)
  uses.count('a', 'k1', 1)
  uses.count('b', 'k1', 1)
  uses.count('a', 'k1', 2)
  await uses.close()
  expect(writes.flat()).toEqual([{ _id: 'a|k1', uses: 2, lastUsedAt: new Date(2) }])
})

it('many keys are written in parts', async () => {
  const { uses, writes } = counting([], 5_000)
  for (let n = 0; n < 2_500; n++) uses.count(String(n), 'k1', n)
  await uses.close()
  expect(writes.map((part) => part.length)).toEqual([1_000, 1_000, 500])
})
