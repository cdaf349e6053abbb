import { describe, expect, it } from 'vitest'
import type { Entry, Stored } from '#runtime/signal-store.ts'
import { type StoringContext, storeAll } from './storing.ts'

const entries = (...names: string[]): Entry[] => names.map((messageId) => ({ messageId }) as Entry)

/** A store that refuses what is named `poison` and is away for the given number of calls. */
const scripted = (awayFor = 0) => {
  const calls: string[][] = []
  let away = awayFor
  let outages = 0
  const context: StoringContext = {
    store: async (batch) => {
      calls.push(batch.map(({ messageId }) => messageId))
      if (away > 0) throw new Error('away')
      if (batch.some(({ messageId }) => messageId === 'poison')) throw new Error('refused')
      return batch.map((): Stored => 'stored')
    },
    alive: async () => away === 0,
    outage: async () => {
      outages++
      away--
    },
  }
  return { context, calls, outages: () => outages }
}

describe('a batch', () => {
  it('is stored in one call', async () => {
    const { context, calls } = scripted()
    expect(await storeAll(context, entries('a', 'b'))).toEqual(['stored', 'stored'])
    expect(calls).toHaveLength(1)
  })

  it('with one entry that the store refuses loses that one only', async () => {
    const { context } = scripted()
    const names = Array.from({ length: 200 }, (_, index) => (index === 137 ? 'poison' : `m${index}`))
    const outcomes = await storeAll(context, entries(...names))
    expect(outcomes.filter((outcome) => outcome === 'stored')).toHaveLength(199)
    expect(outcomes[137]).toEqual({ failed: 'refused' })
  })

  it('waits out a store that is away, and blames no entry for it', async () => {
    const { context, calls, outages } = scripted(3)
    expect(await storeAll(context, entries('a', 'b'))).toEqual(['stored', 'stored'])
    expect(outages()).toBe(3)
    expect(calls).toHaveLength(4)
  })

  it('of nothing asks for nothing', async () => {
    const { context, calls } = scripted()
    expect(await storeAll(context, [])).toEqual([])
    expect(calls).toEqual([])
  })
})
