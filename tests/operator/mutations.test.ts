import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { KubeObject } from '#kit/client.ts'
import { specSchema } from '../../operator/crd/spec.ts'
import { must } from '../stand/condition.ts'
import { MERGE } from './api.ts'
import { type ControlPlane, openControlPlane } from './control-plane.ts'
import { clusterState, uncounted } from './end-state.ts'
import { type Mutation, mutationsOf, patchOf } from './mutations.ts'
import { type Stage, withStage } from './stage.ts'

let plane: ControlPlane
beforeAll(async () => {
  plane = await openControlPlane()
})
afterAll(() => plane?.close())

/** A thousand pods are the work of the controller-manager, and no other code of the operator's than one is. */
const isCrowd = ({ path, value }: Mutation): boolean => /replicas$/i.test(path.at(-1) ?? '') && Number(value) > 10

const MUTATIONS = mutationsOf(specSchema).filter((mutation) => !isCrowd(mutation))

/** So many pipelines are changed at once, each with names of its own on the broker. */
const PIPELINES = 6

/** Without pods: what is looked at are the objects that the operator makes. */
const specOf = (name: string) => ({
  broker: { exchange: `${name}.x`, queue: `${name}.q`, deadLetterExchange: `${name}.dlx` },
  store: { database: name },
  producer: { replicas: 0 },
  api: { replicas: 0 },
  signals: { replicas: 0, scaling: { provider: 'None', pollingInterval: 1 } },
})

type Outcome = 'refused' | 'taken'

/** The part of the namespace's state that is of one pipeline, without what counts its changes. */
const stateOf = async (stage: Stage, name: string): Promise<string> => {
  const all = uncounted(await clusterState(plane.api, stage.namespace))
  return all.filter((leaf) => leaf.includes(` ${name}`)).join('\n')
}

describe('a spec that is changed, field by field, to what is right or wrong for it', () => {
  it('is refused with a sentence, or acted on; and changed back, it is all as before', { timeout: 900_000 }, async () =>
    withStage(plane, 'mutations', async (stage) => {
      const collection = `/apis/xrayiot.dev/v1alpha1/namespaces/${stage.namespace}/xraypipelines`
      const operator = await stage.start()
      const violations: string[] = []
      const outcomes: Record<Outcome, number> = { refused: 0, taken: 0 }
      const left = [...MUTATIONS]

      const seen = async (name: string, isReady: boolean): Promise<void> => {
        await must(`${name} to be seen`, 40_000, async () => {
          const { metadata, status } = await plane.api.call<KubeObject & { status: Status }>(
            'GET',
            `${collection}/${name}`,
          )
          const ready = status.conditions?.find(({ type }) => type === 'Ready')?.status === 'True'
          return status.observedGeneration === metadata.generation && (ready || !isReady) ? true : undefined
        })
      }

      const mutate = async (name: string, original: KubeObject, before: string, mutation: Mutation): Promise<void> => {
        const { status, body } = await plane.api.ask(
          'PATCH',
          `${collection}/${name}?fieldValidation=Strict`,
          { spec: patchOf(mutation) },
          MERGE,
        )
        if (status >= 500) throw new Error(`the API server answered ${status}: ${body.message}`)
        if (status >= 400) {
          outcomes.refused++
          if ((body.message ?? '').length < 20) throw new Error(`refused without a sentence: ${body.message}`)
          return
        }
        outcomes.taken++
        await seen(name, false)
        // The operator writes the status meanwhile, so that a version may be the last one no longer.
        await must('the former spec to be taken', 60_000, async () => {
          const { resourceVersion } = (await plane.api.call('GET', `${collection}/${name}`)).metadata
          const former = { ...original, metadata: { ...original.metadata, resourceVersion } }
          return (await plane.api.ask('PUT', `${collection}/${name}`, former)).status === 200 ? true : undefined
        })
        await seen(name, true)
        let after = ''
        await must('the former state', 60_000, async () => {
          after = await stateOf(stage, name)
          return after === before ? true : undefined
        }).catch(() => {
          throw new Error(`not as before: ${differing(before, after)}`)
        })
      }

      const worker = async (index: number): Promise<void> => {
        const name = `m${index}-pipeline`
        const manifest = {
          apiVersion: 'xrayiot.dev/v1alpha1',
          kind: 'XRayPipeline',
          metadata: { name },
          spec: specOf(name),
        }
        await plane.api.call('POST', collection, manifest)
        await seen(name, true)
        // The broker tells of a new queue some seconds late.
        await must(`the backlog of ${name} to be known`, 60_000, async () => {
          const { status } = await plane.api.call<KubeObject & { status: Status }>('GET', `${collection}/${name}`)
          return status.backlog
        })
        const original = await plane.api.call('GET', `${collection}/${name}`)
        const before = await stateOf(stage, name)
        // An operator that has ended, or does nothing any more, would make each of the others wait in vain.
        const goesOn = () => operator.running() && violations.length < PIPELINES
        for (let mutation = left.shift(); mutation !== undefined && goesOn(); mutation = left.shift()) {
          const { path, what } = mutation
          await mutate(name, original, before, mutation).catch((error: Error) =>
            violations.push(`${path.join('.')}, ${what}: ${error.message}`),
          )
        }
      }
      await Promise.all(Array.from({ length: PIPELINES }, (_, index) => worker(index)))
      console.log(`${MUTATIONS.length} changes: ${outcomes.refused} refused, ${outcomes.taken} taken and changed back`)
      const lastWords = operator.log().slice(-5).join('\n')
      expect(violations.join('\n'), lastWords).toBe('')
      expect(operator.running(), lastWords).toBe(true)
      expect(Math.min(outcomes.refused, outcomes.taken)).toBeGreaterThan(50)
    }),
  )
})

type Status = { observedGeneration: number; backlog?: number; conditions?: { type: string; status: string }[] }

/** The leaves that only one of two states has, a few of them. */
const differing = (before: string, after: string): string => {
  const [one, other] = [before.split('\n'), after.split('\n')]
  return [
    ...one.filter((leaf) => !other.includes(leaf)).map((leaf) => `- ${leaf}`),
    ...other.filter((leaf) => !one.includes(leaf)).map((leaf) => `+ ${leaf}`),
  ]
    .slice(0, 6)
    .join('; ')
}
