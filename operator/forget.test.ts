import { expect, it } from 'vitest'
import { DEFAULTS } from '#contract/pipeline.ts'
import type { Pipeline } from './decide/pipeline.ts'
import { createForget } from './forget.ts'
import { createMetrics } from './metrics.ts'
import { createMemories } from './observe.ts'
import { createPipelineMetrics } from './pipeline-metrics.ts'

const pipelineOf = (number: number): Pipeline => ({
  apiVersion: 'xrayiot.dev/v1alpha1',
  kind: 'XRayPipeline',
  metadata: { name: `p${number}`, namespace: 'xray', uid: `u${number}`, generation: 1 },
  spec: DEFAULTS,
})

it('of pipelines that are gone nothing is left: no series, no memory, no keys', async () => {
  const { registry, measured, unmeasured } = createMetrics({ LEASE_NAME: 'l' })
  const [pipelineMetrics, memories] = [createPipelineMetrics(registry), createMemories()]
  const keys = new Set<string>()
  const forget = createForget({ memories, pipelineMetrics, unmeasured, secrets: { forget: (uid) => keys.delete(uid) } })
  const all = Array.from({ length: 50 }, (_, number) => pipelineOf(number))
  const known = all.map((pipeline) => {
    for (const queue of ['q', 'q.retry']) measured(pipeline, queue, 1, 1)
    pipelineMetrics.draining(pipeline, 1)
    const condition = {
      type: 'Ready',
      status: 'True',
      reason: 'r',
      message: 'm',
      lastTransitionTime: '',
      observedGeneration: 1,
    } as const
    pipelineMetrics.conditions(pipeline, [condition])
    keys.add(pipeline.metadata.uid ?? '')
    return memories.of(pipeline)
  })
  expect(await registry.metrics()).toContain('p49')
  for (const pipeline of all) forget(pipeline)
  expect((await registry.metrics()).match(/.*pipeline="p.*/g)).toBeNull()
  expect(all.filter((pipeline, index) => memories.of(pipeline) === known[index])).toEqual([])
  expect(keys.size).toBe(0)
})
