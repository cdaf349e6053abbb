import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Edit } from '../faults/sabotage.ts'
import { must } from '../stand/condition.ts'
import { MERGE } from './api.ts'
import { WRITES } from './audit.ts'
import { type ControlPlane, openControlPlane } from './control-plane.ts'
import { CONTROLS } from './controls.ts'
import { type Stage, withStage } from './stage.ts'

let plane: ControlPlane
beforeAll(async () => {
  plane = await openControlPlane()
})
afterAll(() => plane?.close())

/** A dozen of the pipelines' reconciles. */
const WATCHED_MS = 12_000

/** What the operator wrote while nothing happened, but for its lease. */
const writesAtRest = (name: string, edits: readonly Edit[]): Promise<string[]> =>
  withStage(plane, name, async (stage) => {
    await stage.start({ edits })
    await stage.create()
    await stage.condition('Ready', 'True')
    // The broker tells of a new queue some seconds late, which is news.
    await must('the backlog to be known', 60_000, async () => (await stage.status()).backlog)
    // One that never comes to rest is judged all the same.
    await stage.quiet(4_000).catch(() => undefined)
    const mark = plane.audit.mark()
    await delay(WATCHED_MS)
    return plane.audit
      .since(mark)
      .filter(({ user, verb, resource }) => user === stage.user && WRITES.includes(verb) && resource !== 'leases')
      .map(({ verb, resource, name: object, subresource }) => `${verb} ${resource}/${object}/${subresource}`)
  })

describe('a pipeline that is as it should be', { timeout: 180_000 }, () => {
  it('is not written to', async () => expect(await writesAtRest('rest', [])).toEqual([]))

  it('control: an operator that tells the time in the status is caught', async () =>
    expect(await writesAtRest('restless', CONTROLS['status-tells-time'].edits)).not.toEqual([]))
})

const CHILDREN: [plural: string, path: string][] = [
  ['deployments', '/apis/apps/v1'],
  ['services', '/api/v1'],
  ['configmaps', '/api/v1'],
  ['serviceaccounts', '/api/v1'],
  ['networkpolicies', '/apis/networking.k8s.io/v1'],
  ['poddisruptionbudgets', '/apis/policy/v1'],
]

const childrenIn = async ({ namespace }: Stage, plural: string, base: string) =>
  (await plane.api.list(`${base}/namespaces/${namespace}/${plural}`)).filter(({ metadata }) =>
    metadata.ownerReferences?.some(({ kind }) => kind === 'XRayPipeline'),
  )

const OURS = 'app.kubernetes.io/component'

describe('of a pipeline that is as it should be,', { timeout: 300_000 }, () => {
  it('each child that is changed is put back, and each that is deleted is made again; what others added stays', async () =>
    withStage(plane, 'drift', async (stage) => {
      await stage.start()
      await stage.create({ producer: { replicas: 2 } })
      await stage.settled()
      const violations: string[] = []
      for (const [plural, base] of CHILDREN) {
        const collection = `${base}/namespaces/${stage.namespace}/${plural}`
        const [child] = await childrenIn(stage, plural, base)
        if (child === undefined) throw new Error(`there is none of ${plural}`)
        const { name, uid } = child.metadata
        const right = child.metadata.labels?.[OURS]
        const labels = { [OURS]: 'changed', team: 'other' }
        await plane.api.call('PATCH', `${collection}/${name}`, { metadata: { labels } }, MERGE)
        await must(`${plural}/${name} to be put back`, 15_000, async () => {
          const now = (await plane.api.call('GET', `${collection}/${name}`)).metadata
          if (now.labels?.[OURS] !== right) return undefined
          if (now.labels?.team !== 'other') violations.push(`${plural}/${name} lost a label of another's`)
          return true
        }).catch((error: Error) => violations.push(error.message))
        await plane.api.call('DELETE', `${collection}/${name}?propagationPolicy=Background`)
        await must(`${plural}/${name} to be made again`, 15_000, async () => {
          const { status, body } = await plane.api.ask('GET', `${collection}/${name}`)
          return status === 200 && body.metadata.uid !== uid ? true : undefined
        }).catch((error: Error) => violations.push(error.message))
      }
      await stage.settled()
      expect(violations.join('\n')).toBe('')
    }))
})
