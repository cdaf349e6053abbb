import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openProxy } from '../network/proxy.ts'
import { must } from '../stand/condition.ts'
import { told } from './asked.ts'
import { type ControlPlane, openControlPlane } from './control-plane.ts'
import type { Operator } from './operator-process.ts'
import type { Fault } from './proxy.ts'
import { type Stage, withStage } from './stage.ts'

let plane: ControlPlane
beforeAll(async () => {
  plane = await openControlPlane()
})
afterAll(() => plane?.close())

/** The settings of producer and signals, whose ConfigMaps follow; each time others. */
const changed = (() => {
  let count = 0
  return (stage: Stage) =>
    stage.change({ producer: { rateLimit: { perDevicePerMinute: 700 + count } }, signals: { prefetch: 500 + count++ } })
})()

/** What was made and removed by a change, once it has settled. */
const effectsOf = async (stage: Stage): Promise<string[]> => {
  const before = (await stage.endState()).effects
  await changed(stage)
  await stage.settled()
  const left = [...before]
  return (await stage.endState()).effects.filter((effect) => {
    const at = left.indexOf(effect)
    if (at !== -1) left.splice(at, 1)
    return at === -1
  })
}

/** Befalls each write once. */
const firstOfEach = (): Fault['matches'] => {
  const seen = new Set<string>()
  return (asked) => {
    if (asked.kind !== 'write' || ['leases', 'events'].includes(asked.resource) || seen.has(told(asked))) return false
    seen.add(told(asked))
    return true
  }
}

type Row = [name: string, fault: Pick<Fault, 'when' | 'act'>]

const ROWS: Row[] = [
  ['409', { when: 'before', act: ({ answer }) => answer(409, 'Conflict') }],
  ['429 and when to come again', { when: 'before', act: ({ answer }) => answer(429, 'TooManyRequests', 1) }],
  ['500', { when: 'before', act: ({ answer }) => answer(500, 'InternalError') }],
  ['500 although it is done', { when: 'applied', act: ({ answer }) => answer(500, 'InternalError') }],
  ['503', { when: 'before', act: ({ answer }) => answer(503, 'ServiceUnavailable') }],
  ['a cut before it is done', { when: 'before', act: ({ reset }) => reset() }],
  ['a cut after it is done', { when: 'applied', act: ({ reset }) => reset() }],
  ['half of the answer', { when: 'applied', act: ({ answerHalf }) => answerHalf() }],
]

describe('when each write is first answered with', { timeout: 600_000 }, () => {
  it('whatever goes wrong, the change is made, each object once', async () =>
    withStage(plane, 'answers', async (stage) => {
      const operator = await stage.start()
      await stage.create()
      await stage.settled()
      const expected = await effectsOf(stage)
      expect(expected.filter((effect) => effect.startsWith('made configmaps'))).toHaveLength(2)
      const violations: string[] = []
      for (const [name, fault] of ROWS) {
        const befell = stage.proxy.inject({ ...fault, matches: firstOfEach() })
        const effects = await effectsOf(stage)
        stage.proxy.heal()
        if (befell() === 0) violations.push(`${name}: befell nothing`)
        if (!operator.running()) violations.push(`${name}: the operator ended: ${operator.log().slice(-3).join('\n')}`)
        if (effects.join() !== expected.join()) violations.push(`${name}: ${effects.join(', ')}`)
      }
      expect(violations.join('\n')).toBe('')
    }))
})

const accessOf = (stage: Stage): string =>
  `/apis/rbac.authorization.k8s.io/v1/namespaces/${stage.namespace}/rolebindings/xray-operator`

describe('an operator', { timeout: 300_000 }, () => {
  it('whose rights are taken away lives on, and makes up for it when they are given back', async () =>
    withStage(plane, 'rights', async (stage) => {
      const operator = await stage.start()
      await stage.create()
      await stage.settled()
      const { metadata, ...rest } = await plane.api.call('GET', accessOf(stage))
      await plane.api.call('DELETE', accessOf(stage))
      await changed(stage)
      await must('a write to be forbidden', 90_000, async () =>
        stage.proxy.writes().some(({ status }) => status === 403) ? true : undefined,
      )
      const { name, namespace = '', labels = {} } = metadata
      await plane.api.call('POST', accessOf(stage).replace(`/${name}`, ''), {
        ...rest,
        metadata: { name, namespace, labels },
      })
      await stage.settled()
      expect(operator.running()).toBe(true)
    }))

  it('that nothing answers any more gives the lease up by ending, and the next one goes on', async () =>
    withStage(plane, 'silence', async (stage) => {
      const wire = await openProxy({ host: '127.0.0.1', port: stage.proxy.port })
      const operator: Operator = await stage.start({ through: `https://127.0.0.1:${wire.port}` })
      try {
        await stage.create()
        await stage.settled()
        wire.requests({ kind: 'swallow' })
        wire.answers({ kind: 'swallow' })
        await changed(stage)
        const outcome = await Promise.race([operator.ended, delay(40_000, 'still there', { ref: false })])
        expect(outcome).toBe(1)
        await stage.restart()
        await stage.settled()
      } finally {
        await wire.close()
      }
    }))
})
