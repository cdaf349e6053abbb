import { expect, it } from 'vitest'
import { createRecent } from './recent.ts'

const MINUTE_MS = 60_000

const world = () => {
  let now = 0
  const dropped: string[] = []
  const recent = createRecent<string>(
    () => now,
    (value) => dropped.push(value),
  )
  return {
    recent,
    dropped,
    pass: (minutes: number) => {
      now += minutes * MINUTE_MS
    },
  }
}

it('what is asked for stays, however long', () => {
  const { recent, dropped, pass } = world()
  recent.set('a', '1')
  for (let count = 0; count < 10; count++) {
    pass(9)
    expect(recent.get('a')).toBe('1')
  }
  expect(dropped).toEqual([])
})

it('what nobody has asked for in ten minutes is dropped when anything is asked for', () => {
  const { recent, dropped, pass } = world()
  for (const key of ['a', 'b', 'c']) recent.set(key, key)
  pass(6)
  recent.get('b')
  pass(6)
  expect(recent.get('d')).toBeUndefined()
  expect(dropped).toEqual(['a', 'c'])
  expect([...recent.values()]).toEqual(['b'])
})

it('what takes the place of another drops nothing, and what is deleted is gone', () => {
  const { recent, dropped } = world()
  recent.set('a', '1')
  recent.set('a', '2')
  expect(recent.get('a')).toBe('2')
  recent.delete('a')
  expect([recent.get('a'), dropped]).toEqual([undefined, []])
})
