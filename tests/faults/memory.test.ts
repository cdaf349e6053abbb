import { describe, expect, it } from 'vitest'
import { faultOf, growthOf, type MemorySample } from './memory.ts'

const samples = (heldMb: number[], residentMb: number[] = heldMb.map(() => 100)): MemorySample[] =>
  heldMb.map((held, index) => ({ heldBytes: held * 1e6, residentBytes: (residentMb[index] ?? 0) * 1e6 }))

const held = (...heldMb: number[]) => faultOf(growthOf(samples(heldMb)))

describe('memory that is held', () => {
  it.each([
    ['stays the same', held(45, 45, 45, 45, 45, 45, 45, 45, 45), undefined],
    ['grows while a process warms up', held(20, 30, 40, 45, 45, 45, 45, 45, 45), undefined],
    ['is high once, while something waits', held(45, 45, 45, 45, 45, 45, 45, 90, 45), undefined],
    ['shrinks', held(45, 45, 45, 45, 45, 45, 20, 20, 20), undefined],
    [
      'grows all the time',
      held(40, 42, 44, 46, 48, 50, 52, 54, 56),
      'holds 6.0 MB more than before after a collection',
    ],
  ])('%s', (_, fault, expected) => expect(fault).toBe(expected))
})

it('memory that no collection counts is a fault when the process grows by it', () =>
  expect(faultOf(growthOf(samples([45, 45, 45], [100, 110, 140])))).toBe('grew by 30.0 MB'))

it('two samples are too few to judge by', () =>
  expect(() => growthOf(samples([45, 45]))).toThrow('expected at least 3 samples of memory, got 2'))
