import type { Applier } from '#kit/apply.ts'
import { ApiError, type KubeObject } from '#kit/client.ts'
import { COMPONENTS, type Component } from './decide/pipeline.ts'
import type { Action } from './decide/plan.ts'
import { gradeOf, type Refusal } from './decide/refusal.ts'
import { RESOURCES } from './decide/resources.ts'
import type { PipelineMetrics } from './pipeline-metrics.ts'

export type Outcome = {
  /** Deployments as they are now; a cache learns of it later, and would pass the former for rolled out. */
  deployments: Map<Component, KubeObject>
  /** The first child that the API server does not take. */
  refusal: Refusal | undefined
  /** The namespace is being deleted, and the pipeline with it. */
  ending: boolean
}

/**
 * Carries out a plan, one action after the other. A child that is refused holds back what comes behind it of its own
 * component, and every removal; the other components go on.
 * @throws what the API server answered otherwise; the rest of the plan is then made anew
 */
export const carryOut = async (
  { applier, pipelineMetrics }: { applier: Applier; pipelineMetrics: PipelineMetrics },
  actions: readonly Action[],
): Promise<Outcome> => {
  const outcome: Outcome = { deployments: new Map(), refusal: undefined, ending: false }
  const held = new Set<Component>()
  for (const action of actions) {
    const resource = RESOURCES[action.kind]
    if (action.do === 'remove') {
      if (held.size > 0) continue
      await applier.remove(resource, action.object)
      pipelineMetrics.orphaned()
      continue
    }
    const { component, intent, live, cause } = action
    if (held.has(component)) continue
    try {
      const now = await applier.apply(resource, intent, live)
      if (action.kind === 'deployment') outcome.deployments.set(component, now)
      if (cause === 'Drifted' && now.metadata.resourceVersion !== live?.metadata.resourceVersion)
        pipelineMetrics.drifted(action.kind)
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      const grade = gradeOf(error, `${resource.kind} ${intent.metadata.name}`)
      switch (grade.kind) {
        case 'ending':
          return { ...outcome, ending: true }
        case 'refused':
          outcome.refusal ??= grade.refusal
          held.add(component)
          break
        case 'unexpected':
          throw error
      }
    }
  }
  return outcome
}

/** Deployments by component, the applied before the cached. */
export const deploymentsOf = (
  cached: (component: Component) => KubeObject | undefined,
  applied: ReadonlyMap<Component, KubeObject> = new Map(),
): Map<Component, KubeObject> =>
  new Map(
    COMPONENTS.flatMap((component) => {
      const object = applied.get(component) ?? cached(component)
      return object === undefined ? [] : [[component, object] as const]
    }),
  )
