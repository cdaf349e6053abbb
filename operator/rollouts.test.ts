import { expect, it } from 'vitest'
import { DEFAULTS } from '#contract/pipeline.ts'
import type { KubeObject } from '#kit/client.ts'
import type { Pipeline } from './decide/pipeline.ts'
import type { Pod } from './decide/pods.ts'
import { observeRollouts, type RolloutMemory } from './rollouts.ts'

const pipeline = {
  apiVersion: 'xrayiot.dev/v1alpha1',
  kind: 'XRayPipeline',
  metadata: { name: 'leipzig', namespace: 'xray', uid: 'u1', generation: 1 },
  spec: DEFAULTS,
} as Pipeline
const deployment = (readyReplicas: number, image = 'x:1'): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'leipzig-api', generation: 1 },
  spec: { replicas: 1, template: { spec: { containers: [{ image }] } } },
  status: { observedGeneration: 1, replicas: 1, updatedReplicas: 1, readyReplicas },
})
const crashed = (exitCode: number): Pod => ({
  metadata: { name: 'leipzig-api-x' },
  spec: { containers: [{ name: 'api', image: 'x:1' }] },
  status: { containerStatuses: [{ name: 'api', ready: false, restartCount: 0, state: { terminated: { exitCode } } }] },
})

/** A namespace whose pods end with one code after another, and in which each look counts. */
const world = (...codes: number[]) => {
  let nowMs = 100_000
  let lists = 0
  const memory: RolloutMemory = {}
  const pods = {
    list: async () => {
      const code = codes[lists++]
      if (code === undefined) throw new Error('the API server is away')
      return [crashed(code)]
    },
    logOf: async () => (lists === 1 ? '' : `the log of look ${lists}`),
  }
  return {
    lists: () => lists,
    after: async (ms: number, live: KubeObject) => {
      nowMs += ms
      const found = await observeRollouts({ pods, now: () => nowMs }, pipeline, new Map([['api', live]]), memory)
      return found.api?.message
    },
  }
}

it('no pod is read while a roll-out is complete, has just begun, or wants no pods', async () => {
  const { after, lists } = world(1)
  await after(0, deployment(1))
  await after(60_000, deployment(0))
  await after(5_000, deployment(0))
  await after(60_000, { ...deployment(0), spec: { replicas: 0 } })
  expect(lists()).toBe(0)
})

it('pods that do not come up are read at most every 8 seconds, and one reason is told in one text once its log is known', async () => {
  const { after, lists } = world(1, 1, 137)
  await after(0, deployment(0))
  const texts = []
  for (let second = 0; second < 28; second++) texts.push(await after(1_000, deployment(0)))
  expect(lists()).toBe(3)
  expect([...new Set(texts)]).toEqual([
    undefined,
    'the process ends with code 1',
    'the process ends with code 1; its log ends: the log of look 2',
  ])
})

it('what was found stays while the pods cannot be read, and goes with the template', async () => {
  const { after } = world(1)
  await after(0, deployment(0))
  expect(await after(10_000, deployment(0))).toContain('code 1')
  expect(await after(10_000, deployment(0))).toContain('code 1')
  expect(await after(1_000, deployment(0, 'x:2'))).toBeUndefined()
})
