import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Edit } from '../faults/sabotage.ts'
import { must } from '../stand/condition.ts'
import { type ControlPlane, openControlPlane } from './control-plane.ts'
import { CONTROLS } from './controls.ts'
import type { EndState } from './end-state.ts'
import type { Operator } from './operator-process.ts'
import { type Stage, withStage } from './stage.ts'
import type { Manner } from './watch-lines.ts'

let plane: ControlPlane
beforeAll(async () => {
  plane = await openControlPlane()
})
afterAll(() => plane?.close())

const RESOURCES = [
  'xraypipelines',
  'deployments',
  'configmaps',
  'services',
  'serviceaccounts',
  'networkpolicies',
  'poddisruptionbudgets',
]

/** A pipeline is made, gets other settings and fewer pods, and settles. */
const live = async (stage: Stage): Promise<void> => {
  await stage.create({ producer: { replicas: 2 } })
  await stage.settled()
  await stage.change({ signals: { prefetch: 500 }, producer: { replicas: 1 } })
  await stage.settled()
}

describe('an operator ends where it should', { timeout: 600_000 }, () => {
  let references: [EndState, EndState]
  beforeAll(async () => {
    const undisturbed = (name: string) =>
      withStage(plane, name, async (stage) => {
        await stage.start()
        await live(stage)
        return stage.endState()
      })
    references = await Promise.all([undisturbed('calm-a'), undisturbed('calm-b')])
  })

  const manners: [string, Manner][] = [
    ['late', { kind: 'delay', ms: 700 }],
    ['twice', { kind: 'twice' }],
  ]
  it.each(manners)('when all that it is told comes %s', async (name, manner) =>
    withStage(plane, `lines-${name}`, async (stage) => {
      for (const resource of RESOURCES) stage.proxy.lines(resource, manner)
      await stage.start()
      await live(stage)
      expect(await stage.endsLike(references)).toEqual([])
    }),
  )

  it('when it has to list all over again, because what it saw last is no longer kept', async () =>
    withStage(plane, 'expired', async (stage) => {
      await stage.start()
      await stage.create({ producer: { replicas: 2 } })
      await stage.settled()
      const refused = new Set<string>()
      stage.proxy.inject({
        when: 'before',
        // Each once: one that is quick would take the place of one that has not come yet.
        matches: ({ kind, resource }) => kind === 'watch' && RESOURCES.includes(resource) && !refused.has(resource),
        act: ({ asked, answer }) => {
          refused.add(asked.resource)
          answer(410, 'Expired')
        },
      })
      // Nobody tells it of this change: the watch that would have is over.
      stage.proxy.lines('xraypipelines', { kind: 'drop', matches: () => true })
      await stage.change({ signals: { prefetch: 500 }, producer: { replicas: 1 } })
      stage.proxy.staleAt(undefined)
      await must('every watch to be refused', 60_000, async () =>
        refused.size === RESOURCES.length ? true : undefined,
      )
      stage.proxy.lines('xraypipelines', { kind: 'pass' })
      await stage.settled()
      expect(await stage.endsLike(references)).toEqual([])
    }))

  it('when the API server is killed, its history compacted, and it comes again', async () =>
    withStage(plane, 'comes-again', async (stage) => {
      const operator = await stage.start()
      await stage.create({ producer: { replicas: 2 } })
      await stage.settled()
      await plane.compact()
      await plane.restartApiServer()
      if (!operator.running()) await stage.restart() // it may have lost its lease meanwhile
      await stage.change({ signals: { prefetch: 500 }, producer: { replicas: 1 } })
      await stage.settled()
      expect(await stage.endsLike(references)).toEqual([])
    }))
})

/** The version that stands now. */
const versionNow = async (stage: Stage): Promise<string> => {
  const path = `/apis/xrayiot.dev/v1alpha1/namespaces/${stage.namespace}/xraypipelines?limit=1`
  return (await stage.plane.api.call('GET', path)).metadata.resourceVersion ?? ''
}

const removed = ({ effects }: EndState): string[] => effects.filter((effect) => effect.startsWith('removed'))

/** Starts an operator that sees what stood at a version, lets it work, and then shows it everything. */
const belated = async (stage: Stage, version: string, then: () => Promise<Operator>): Promise<void> => {
  stage.proxy.staleAt(version)
  const operator = await then()
  await operator.leads()
  await stage.quiet(3_000)
  stage.proxy.staleAt(undefined)
}

describe('an operator that is shown the past', { timeout: 300_000 }, () => {
  /** What is removed, and whether the queue is there, when the deletion of a former pipeline is shown once more. */
  const madeAnew = (name: string, edits: readonly Edit[]) =>
    withStage(plane, name, async (stage) => {
      const first = await stage.start()
      await stage.create()
      await stage.settled()
      // The deletion waits for the broker; meanwhile is the moment that comes again.
      stage.broker.disturb({ kind: 'answer', status: 503, body: '{}' })
      const removing = stage.remove()
      await must('the deletion to be tried', 60_000, async () =>
        stage.broker.calls().some(({ path }) => path.includes('columns=name,arguments,messages')) ? true : undefined,
      )
      const version = await versionNow(stage)
      stage.broker.disturb(undefined)
      await removing
      await stage.create()
      await stage.settled()
      const before = removed(await stage.endState())
      await first.kill()
      await belated(stage, version, () => stage.restart(edits))
      const shown = await stage.endState()
      return { before, after: removed(shown), stands: shown.broker.some((row) => row.includes('xray.raw.q')) }
    })

  it('does not remove what was made anew under the name of what was being deleted then', async () => {
    const { before, after, stands } = await madeAnew('anew', [])
    expect(after).toEqual(before)
    expect(stands).toBe(true)
  })

  it('control: one that believes its cache is caught', async () => {
    const { before, after } = await madeAnew('anew-control', CONTROLS['believes-its-cache'].edits)
    expect(after).not.toEqual(before)
  })

  it('goes forward again from a spec that was replaced, and removes nothing on the way', async () =>
    withStage(plane, 'replaced', async (stage) => {
      const first = await stage.start()
      await stage.create()
      await stage.settled()
      const version = await versionNow(stage)
      await stage.change({ image: 'xrayiot/xrayiot:next' })
      await stage.settled()
      const before = await stage.endState()
      await first.kill()
      await belated(stage, version, () => stage.restart())
      await stage.settled()
      const end = await stage.endState()
      expect(removed(end)).toEqual(removed(before))
      expect(end.objects.filter((leaf) => leaf.includes('.image='))).toEqual(
        before.objects.filter((leaf) => leaf.includes('.image=')),
      )
    }))

  it('touches nothing when the pipeline was not there yet', async () =>
    withStage(plane, 'unborn', async (stage) => {
      const first = await stage.start()
      await first.leads()
      const version = await versionNow(stage)
      await stage.create()
      await stage.settled()
      await first.kill()
      const before = stage.proxy.writes().length
      await belated(stage, version, () => stage.restart())
      expect(stage.proxy.writes().slice(before)).toEqual([])
      await stage.settled()
    }))
})
