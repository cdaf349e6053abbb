import { setImmediate as turn } from 'node:timers/promises'
import { expect, it } from 'vitest'
import type { Broker } from './broker.ts'
import { createSleepers } from './sleepers.ts'

const HERE: Broker = {
  managementUri: 'http://here',
  username: 'u',
  password: 'p',
  vhost: '/',
  request: () => Promise.reject(new Error('not asked here')),
}

const stand = () => {
  let nowMs = 1_000
  let look = () => {}
  const lengths = new Map<string, number>()
  const asked: string[] = []
  const woken: string[] = []
  let fails = false
  const sleepers = createSleepers(
    async ({ vhost }) => {
      asked.push(vhost)
      if (fails) throw new Error('no answer')
      return lengths
    },
    (key) => woken.push(key),
    {
      nowMs: () => nowMs,
      every: (_, run) => {
        look = run
        return () => {}
      },
    },
  )
  return {
    sleepers,
    lengths,
    asked,
    woken,
    fail: () => {
      fails = true
    },
    tick: async (ms = 1_000) => {
      nowMs += ms
      look()
      await turn()
    },
  }
}

it('all sleepers of a virtual host cost one look, and none costs none', async () => {
  const { sleepers, asked, tick } = stand()
  await tick()
  for (const name of ['a', 'b', 'c']) sleepers.asleep(name, HERE, `${name}.q`)
  sleepers.asleep('d', { ...HERE, vhost: 'other' }, 'd.q')
  await tick()
  expect(asked).toEqual(['/', 'other'])
})

it('one whose queue is not empty is woken, with what waits there until the statistics show it', async () => {
  const { sleepers, lengths, woken, tick } = stand()
  sleepers.asleep('a', HERE, 'a.q')
  sleepers.asleep('b', HERE, 'b.q')
  lengths.set('a.q', 7).set('b.q', 0)
  await tick()
  expect(woken).toEqual(['a'])
  sleepers.awake('a')
  await tick(9_000)
  expect(sleepers.wakingOf('a')).toEqual({ atMs: 2_000, ready: 7 })
  await tick()
  expect([woken, sleepers.wakingOf('a'), sleepers.wakingOf('b')]).toEqual([['a'], undefined, undefined])
})

it('a broker that does not answer wakes nobody, and is asked again', async () => {
  const { sleepers, asked, woken, fail, tick } = stand()
  sleepers.asleep('a', HERE, 'a.q')
  fail()
  await tick()
  await tick()
  expect([asked.length, woken]).toEqual([2, []])
})
