import { expect, it } from 'vitest'
import { createSlots } from './slots.ts'

const never = new AbortController().signal

it('who finds no place free waits in line', async () => {
  const slots = createSlots(1)
  const order: string[] = []
  const release = await slots.take(never)
  const others = ['a', 'b'].map(async (name) => {
    const done = await slots.take(never)
    order.push(name)
    done()
  })
  await Promise.resolve()
  expect(order).toEqual([])
  release()
  await Promise.all(others)
  expect(order).toEqual(['a', 'b'])
})

it('a place is given back once, however often that is said', async () => {
  const slots = createSlots(1)
  const release = await slots.take(never)
  release()
  release()
  await slots.take(never)
  const stopping = new AbortController()
  const third = slots.take(stopping.signal)
  stopping.abort(new Error('no place was free'))
  await expect(third).rejects.toThrow('no place was free')
})

it('who leaves the line takes no place', async () => {
  const slots = createSlots(1)
  const release = await slots.take(never)
  const stopping = new AbortController()
  const waiting = slots.take(stopping.signal)
  stopping.abort(new Error('given up'))
  await expect(waiting).rejects.toThrow('given up')
  release()
  await slots.take(never)
})
