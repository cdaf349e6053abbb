import { expect, it } from 'vitest'
import { ApiError, type KubeObject } from '#kit/client.ts'
import { carryOut } from './actions.ts'
import type { Action } from './decide/plan.ts'

const object = (name: string): KubeObject & { metadata: { uid: string } } => ({
  apiVersion: 'v1',
  kind: 'x',
  metadata: { name, namespace: 'xray', uid: name },
})
const removalOf = (name: string): Action => ({ do: 'remove', kind: 'disruptionBudget', object: object(name) })
const pipelineMetrics = {
  conditions: () => undefined,
  forget: () => undefined,
  draining: () => undefined,
  drained: () => undefined,
  skipped: () => undefined,
  drifted: () => undefined,
  orphaned: () => undefined,
  abandoned: () => undefined,
}

/** Carries out removals, of which the API server answers the first with an error. */
const remove = async (error: Error): Promise<string[]> => {
  const removed: string[] = []
  const applier = {
    apply: () => Promise.reject(new Error('nothing is applied here')),
    remove: async (_: unknown, { metadata }: KubeObject) => {
      if (metadata.name === 'first') throw error
      removed.push(metadata.name)
    },
  }
  const handOver = () => Promise.reject(new Error('nothing is handed over here'))
  await carryOut({ applier, handOver, pipelineMetrics }, [removalOf('first'), removalOf('second')])
  return removed
}

it('what has changed since it was seen is left for the next look, and the rest is done', async () =>
  expect(await remove(new ApiError(409, 'Conflict', 'the ResourceVersion does not match'))).toEqual(['second']))

it('a server that fails ends the plan', async () =>
  expect(remove(new ApiError(500, 'InternalError', 'no'))).rejects.toThrow('no'))
