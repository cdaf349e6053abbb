import { setImmediate as turn } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { createLog } from '#runtime/log.ts'
import { createDrain } from './drain.ts'

/** A pod with work that ends when the test says so. */
const victim = () => {
  const did: string[] = []
  const works: (() => void)[] = []
  let asked = false
  const drain = createDrain({
    asked: () => asked,
    stop: async () => void did.push('stop'),
    finish: () => new Promise((resolve) => works.push(resolve)),
    resume: async () => void did.push('resume'),
    log: createLog('test', 'silent'),
  })
  return {
    did,
    missing: drain.missing,
    ask: async (value: boolean) => {
      asked = value
      drain.look()
      await turn()
    },
    look: drain.look,
    finish: async (which: number) => {
      works[which]?.()
      await turn()
    },
  }
}

it('a pod that nobody asked to go has not finished, whatever it holds', () => {
  const pod = victim()
  pod.look()
  expect([pod.missing(), pod.did]).toEqual(['not asked to go', []])
})

it('a pod that is asked to go stops once, and has finished when what it held is', async () => {
  const pod = victim()
  await pod.ask(true)
  pod.look()
  expect([pod.missing(), pod.did]).toEqual(['it still holds messages', ['stop']])
  await pod.finish(0)
  expect(pod.missing()).toBeUndefined()
})

it('a pod that is to stay after all takes messages again, before it has finished and after', async () => {
  const pod = victim()
  await pod.ask(true)
  await pod.ask(false)
  expect([pod.missing(), pod.did]).toEqual(['not asked to go', ['stop', 'resume']])
  await pod.ask(true)
  await pod.finish(1)
  await pod.ask(false)
  expect([pod.missing(), pod.did]).toEqual(['not asked to go', ['stop', 'resume', 'stop', 'resume']])
})

it('the end of what it finished for a former asking is not taken for the end of this one', async () => {
  const pod = victim()
  await pod.ask(true)
  await pod.ask(false)
  await pod.ask(true)
  await pod.finish(0)
  expect(pod.missing()).toBe('it still holds messages')
})
