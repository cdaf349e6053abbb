import type { Applier } from '#kit/apply.ts'
import { ApiError, isConflict, type KubeObject } from '#kit/client.ts'
import type { Handover } from './cluster/handover.ts'
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

type Hands = { applier: Applier; handOver: Handover; pipelineMetrics: PipelineMetrics }

const apply = async (
  { applier, handOver, pipelineMetrics }: Hands,
  { kind, component, intent, live, cause }: Action & { do: 'apply' },
  deployments: Map<Component, KubeObject>,
): Promise<void> => {
  const isLeft = kind === 'deployment' && (intent.spec as { replicas?: number }).replicas === undefined
  if (isLeft && live !== undefined) await handOver(live)
  const now = await applier.apply(RESOURCES[kind], intent, live)
  if (kind === 'deployment') deployments.set(component, now)
  if (cause === 'Drifted' && now.metadata.resourceVersion !== live?.metadata.resourceVersion)
    pipelineMetrics.drifted(kind)
}

const remove = async ({ applier, pipelineMetrics }: Hands, { kind, object }: Action & { do: 'remove' }) => {
  await applier.remove(RESOURCES[kind], object)
  pipelineMetrics.orphaned()
}

/**
 * Carries out a plan, one action after the other. A child that is refused holds back what comes behind it of its own
 * component, and every removal; the other components go on.
 * @throws what the API server answered otherwise; the rest of the plan is then made anew
 */
export const carryOut = async (hands: Hands, actions: readonly Action[]): Promise<Outcome> => {
  const outcome: Outcome = { deployments: new Map(), refusal: undefined, ending: false }
  const held = new Set<Component>()
  for (const action of actions) {
    if (action.do === 'remove' ? outcome.refusal !== undefined : held.has(action.component)) continue
    try {
      if (action.do === 'apply') await apply(hands, action, outcome.deployments)
      else await remove(hands, action)
    } catch (error) {
      // What was to be removed has changed meanwhile: it is looked at again once the cache shows how, or at the next look.
      // The status must not wait for that: a Deployment's change is what moves a disruption budget.
      if (action.do === 'remove' && isConflict(error)) continue
      if (!(error instanceof ApiError)) throw error
      const { metadata } = action.do === 'apply' ? action.intent : action.object
      const grade = gradeOf(error, `${RESOURCES[action.kind].kind} ${metadata.name}`)
      switch (grade.kind) {
        case 'ending':
          return { ...outcome, ending: true }
        case 'refused':
          outcome.refusal ??= grade.refusal
          if (action.do === 'apply') held.add(action.component)
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
