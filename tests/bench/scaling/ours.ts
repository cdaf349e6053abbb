import type { Scaling } from '#contract/scaling/block.ts'
import { decideScaling } from '#contract/scaling/decision.ts'
import { freshMemory, type Memory } from '#contract/scaling/memory.ts'
import { pausesOf } from '#contract/scaling/pauses.ts'
import { type Sample, withLook } from '#contract/scaling/sample.ts'
import type { World } from './world.ts'

/**
 * The operator's decision itself, once in a polling interval.
 * @param perSecond what a former run has learnt of one pod; undefined: it has never seen one
 */
export const createOurs = (
  scaling: Scaling,
  concurrency: number,
  perSecond: number | undefined,
  random: () => number,
) => {
  let pollAt = random() * scaling.pollingInterval
  let samples: Sample[] = []
  // The load begins long after the operator has.
  let memory: Memory = {
    ...freshMemory(
      0,
      perSecond === undefined
        ? undefined
        : { serviceRate: { value: perSecond, source: 'Measured', samples: 3 }, startupSeconds: 8 },
    ),
    burstUntilMs: 0,
  }
  return {
    step: (world: World): void => {
      if (world.now() < pollAt) return
      pollAt += scaling.pollingInterval
      const nowMs = world.now() * 1000
      const look = world.look()
      if (look !== undefined && look !== 'blank')
        samples = withLook(samples, { ...look, atMs: nowMs }, scaling.pollingInterval)
      const facts = {
        samples,
        replicas: { current: world.wanted(), ready: world.ready() },
        metrics: {},
        pauses: pausesOf(),
        fixed: undefined,
        concurrency,
      }
      const decision = decideScaling(facts, scaling, memory, nowMs)
      memory = decision.memory
      world.scale(decision.replicas)
    },
  }
}
