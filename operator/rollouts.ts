import type { KubeObject } from '#kit/client.ts'
import type { Pods } from './cluster/pods.ts'
import { lastLines } from './decide/log-lines.ts'
import { COMPONENTS, type Component, type Pipeline, selectorOf } from './decide/pipeline.ts'
import { problemAmong } from './decide/pods.ts'
import { type PodsSeen, rolloutOf, templateOf } from './decide/rollout.ts'

/** A pod takes about three seconds from its creation to its first message; until then nothing is wrong. */
const GRACE_MS = 8_000
/** Pods of one template fail for one reason: some are as good as all. */
const MOST_PODS = 20
/** How often the pods of a roll-out that hangs are looked at. */
const LOOK_MS = 8_000

/** What is remembered of a roll-out that is not complete. */
export type Watched = { template: string; sinceMs: number; lookedAtMs: number; found: Found | undefined }
/** `told`: it is known why its process ended, as far as its log says. */
type Found = PodsSeen & { told: boolean }
export type RolloutMemory = Partial<Record<Component, Watched>>

const lookAt = async (
  pods: Pick<Pods, 'list' | 'logOf'>,
  namespace: string,
  labels: Record<string, string>,
  { template, found }: Watched,
): Promise<Found | undefined> => {
  const seen = await pods.list(namespace, labels, MOST_PODS).catch(() => undefined)
  // Pods that cannot be read explain nothing, but they are no reason to stop.
  if (seen === undefined) return found
  const problem = problemAmong(seen)
  if (problem === undefined) return undefined
  // One reason is one text: an exit code or a line that differs from try to try would write the status for ever.
  if (problem.reason === found?.reason && found.told) return found
  // The log of a container that has been removed meanwhile cannot be read; that of the next try can.
  const lines = problem.crash === undefined ? '' : lastLines(await pods.logOf(namespace, problem.crash))
  const message = lines === '' ? problem.message : `${problem.message}; its log ends: ${lines}`
  return { reason: problem.reason, message, template, told: problem.crash === undefined || lines !== '' }
}

/**
 * What keeps the pods of each component from becoming ready. Nothing is read of a component whose roll-out is complete
 * or has just begun.
 * @param deployments as they are
 * @param memory changed in place
 */
export const observeRollouts = async (
  { pods, now }: { pods: Pick<Pods, 'list' | 'logOf'>; now: () => number },
  { metadata }: Pipeline,
  deployments: ReadonlyMap<Component, KubeObject>,
  memory: RolloutMemory,
): Promise<Partial<Record<Component, PodsSeen>>> => {
  const found: Partial<Record<Component, PodsSeen>> = {}
  for (const component of COMPONENTS) {
    const live = deployments.get(component)
    const desired = (live?.spec as { replicas?: number } | undefined)?.replicas ?? 0
    const { progressing, ready } = rolloutOf(live, desired)
    if (live === undefined || desired === 0 || (!progressing && ready >= desired)) {
      delete memory[component]
      continue
    }
    const template = templateOf(live)
    const known = memory[component]
    const watched = known?.template === template ? known : { template, sinceMs: now(), lookedAtMs: 0, found: undefined }
    memory[component] = watched
    if (now() - watched.sinceMs >= GRACE_MS && now() - watched.lookedAtMs >= LOOK_MS) {
      watched.lookedAtMs = now()
      watched.found = await lookAt(pods, metadata.namespace ?? '', selectorOf(metadata.name, component), watched)
    }
    if (watched.found !== undefined) found[component] = watched.found
  }
  return found
}
