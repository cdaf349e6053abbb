import { Writable } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { gatherWrites } from './gathered-writes.ts'

/** A stream that takes everything at once and notes how it came. */
const open = () => {
  const taken: string[][] = []
  const stream = new Writable({
    write: (chunk, _encoding, done) => {
      taken.push([String(chunk)])
      done()
    },
    writev: (chunks, done) => {
      taken.push(chunks.map(({ chunk }) => String(chunk)))
      done()
    },
  })
  gatherWrites(stream)
  return { stream, taken }
}

it('what is written in one turn leaves together, and in order', async () => {
  const { stream, taken } = open()
  for (const part of ['a', 'b', 'c']) stream.write(part)
  await nextTurn()
  stream.write('d')
  stream.write('e')
  await nextTurn()
  expect(taken).toEqual([
    ['a', 'b', 'c'],
    ['d', 'e'],
  ])
})

it('what was written before an end in the same turn leaves as well', async () => {
  const { stream, taken } = open()
  stream.write('a')
  stream.write('b')
  stream.end('c')
  await nextTurn()
  expect(taken.flat()).toEqual(['a', 'b', 'c'])
  expect(stream.writableFinished).toBe(true)
})

it('a stream that is full says so, and when it is not any more', async () => {
  const { stream } = open()
  let drains = 0
  stream.on('drain', () => drains++)
  expect(stream.write('x'.repeat(stream.writableHighWaterMark))).toBe(false)
  await nextTurn()
  expect(drains).toBe(1)
})
