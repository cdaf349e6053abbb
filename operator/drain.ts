import { DRAIN_ANNOTATION } from '#contract/drain.ts'
import type { Pods } from './cluster/pods.ts'
import { DELETION_COST, type DrainPlan, type DrainPod, drainPodsOf } from './decide/drain.ts'
import { type Pipeline, selectorOf } from './decide/pipeline.ts'

/** As many as a pipeline may have, and those of a roll-out beside them. */
const MOST_PODS = 2_000
/** Below that of every pod that nobody priced. */
const COST = '-1000'

/** The signals pods of a pipeline, each with whether it has finished; none are read while no drain is on. */
export const observeDrain = async (pods: Pods, { metadata, status }: Pipeline): Promise<DrainPod[]> => {
  if (status?.scaling?.drain === undefined) return []
  const all = await pods.list(metadata.namespace ?? '', selectorOf(metadata.name, 'signals'), MOST_PODS)
  const told = all.filter(({ metadata: { annotations } }) => annotations?.[DRAIN_ANNOTATION] !== undefined)
  const finished = await Promise.all(
    told.map(async (pod) => {
      const ip = pod.status?.podIP
      return ip !== undefined && (await pods.hasFinished(ip)) ? [pod.metadata.name] : []
    }),
  )
  return drainPodsOf(all, new Set(finished.flat()))
}

/**
 * Tells the pods what the plan has for them; all of them know before the Deployment changes.
 * @throws what the API server answered; the plan is then made anew
 */
export const tellPods = async (pods: Pods, namespace: string, plan: DrainPlan, nowMs: number): Promise<void> => {
  const at = new Date(nowMs).toISOString()
  for (const name of plan.free)
    await pods.annotate(namespace, name, { [DRAIN_ANNOTATION]: null, [DELETION_COST]: null })
  for (const name of plan.tell) await pods.annotate(namespace, name, { [DRAIN_ANNOTATION]: at })
  for (const name of plan.price) await pods.annotate(namespace, name, { [DELETION_COST]: COST })
}
