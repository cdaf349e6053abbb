import { expect, it } from 'vitest'
import { spentBetween, sumOf } from './control-planes.ts'
import { Interrupted, orInterrupted } from './interruption.ts'
import { measuredOf } from './measured.ts'
import { takenAway } from './timeline.ts'

const moments = [0, 4, 3, 5, 2].map((wanted, index) => ({ seconds: index * 10, wanted, pods: wanted, ready: wanted }))

it.each([
  ['steps down are summed, steps up do not pay for them', 0, 40, 4],
  ['what went before the outage does not count', 20, 30, 0],
  ['nor what went after it', 5, 39, 1],
])('taken away: %s', (_, from, to, expected) => expect(takenAway(moments, from, to)).toBe(expected))

it('what is not stored is left, and pods are only taken away in an outage where there is one', () => {
  const stored = [1, 3].map((seconds) => ({ receivedAt: new Date(0), processedAt: new Date(seconds * 1000) }))
  expect(measuredOf(moments, stored, 5, undefined)).toMatchObject({
    p50: 3,
    podSeconds: 120,
    firstReady: 10,
    tenReady: undefined,
    takenAway: undefined,
    stored: 2,
    left: 3,
  })
  expect(measuredOf(moments, stored, 5, [5, 39]).takenAway).toBe(1)
})

it('a counter is summed over its labels, and no other is', () =>
  expect(sumOf('# TYPE a counter\na{b="x y"} 2\na 3\na_total{b="x"} 9\n', 'a')).toBe(5))

it('a process that was started anew counts from its start', () => {
  const spent = { cpuSeconds: 9.04, rssBytes: 5e6, brokerRequests: 10, apiRequests: 100 }
  expect(spentBetween(spent, { cpuSeconds: 1.26, rssBytes: 7e6, brokerRequests: 12, apiRequests: 3 })).toEqual({
    cpuSeconds: 1.3,
    rssMegabytes: 7,
    brokerRequests: 2,
    apiRequests: 3,
  })
})

it('an interruption ends what never ends, and what has ended keeps its value', async () => {
  const interruption = new AbortController()
  const waiting = orInterrupted(interruption.signal, new Promise(() => undefined))
  await expect(orInterrupted(interruption.signal, Promise.resolve(1))).resolves.toBe(1)
  interruption.abort()
  await expect(waiting).rejects.toThrow(Interrupted)
  await expect(orInterrupted(interruption.signal, new Promise(() => undefined))).rejects.toThrow(Interrupted)
})
