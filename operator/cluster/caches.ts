import { GROUP, KIND, PLURAL, VERSION } from '#contract/pipeline.ts'
import type { Client, KubeObject } from '#kit/client.ts'
import type { Expectations } from '#kit/expectations.ts'
import { ownerKeys } from '#kit/owners.ts'
import { isMoreThanStatus, priorityOf } from '#kit/predicates.ts'
import { type Change, type Reflector, reflect } from '#kit/reflector.ts'
import type { Resource } from '#kit/resource.ts'
import { createSharing } from '#kit/sharing.ts'
import { byOwner } from '#kit/store.ts'
import { CHILD_SELECTOR, type Pipeline, queueIdentity } from '../decide/pipeline.ts'
import { type ChildKind, RESOURCES } from '../decide/resources.ts'
import { AUTOSCALER, pipelineOfTarget, signalsTarget, targetsOf, trimmedAutoscaler } from '../decide/scalers.ts'

export const PIPELINES: Resource = { group: GROUP, version: VERSION, plural: PLURAL, kind: KIND }

/** What the operator knows of the cluster without asking. */
export type Caches = {
  pipeline: (key: string) => Pipeline | undefined
  pipelines: () => Pipeline[]
  /** The pipelines that name a pipeline's queue, itself among them. */
  onQueueOf: (pipeline: Pipeline) => Pipeline[]
  child: (kind: ChildKind, key: string) => KubeObject | undefined
  /** The objects of a kind that a pipeline owns. */
  owned: (kind: ChildKind, uid: string) => KubeObject[]
  /** The HPAs that have a pipeline's signals pods as their target, whoever made them. */
  autoscalersOf: (pipeline: Pipeline) => KubeObject[]
  synced: () => boolean
  close: () => Promise<void>
}

/**
 * Follows pipelines and their children, in the given namespaces or in all.
 * @param touched told the key of each pipeline that something happened to
 */
export const followCluster = (
  client: Client,
  namespaces: string[],
  touched: (key: string, priority: number) => void,
  failed: (error: Error) => void,
  expectations: Expectations,
): Caches => {
  const scopes = namespaces.length === 0 ? [{}] : namespaces.map((namespace) => ({ namespace }))
  const changed = (change: Change) => {
    if (isMoreThanStatus(change)) touched(change.key, priorityOf(change))
  }
  const childChanged = (change: Change) => {
    for (const key of new Set([...ownerKeys(change.before, KIND), ...ownerKeys(change.after, KIND)]))
      touched(key, priorityOf(change))
  }
  const indexers = { queue: (object: KubeObject) => [queueIdentity(object as Pipeline)] }
  const pipelines = scopes.map((scope) =>
    reflect(client, PIPELINES, { ...scope, transform: createSharing(), indexers, expectations }, changed, failed),
  )
  const kinds = Object.entries(RESOURCES) as [ChildKind, Resource][]
  const children = new Map<ChildKind, Reflector[]>(
    kinds.map(([kind, resource]) => [
      kind,
      scopes.map((scope) =>
        reflect(
          client,
          resource,
          {
            ...scope,
            labelSelector: CHILD_SELECTOR,
            transform: createSharing(),
            indexers: { owner: byOwner },
            expectations,
          },
          childChanged,
          failed,
        ),
      ),
    ]),
  )
  const autoscalerChanged = (change: Change) => {
    const [before, after] = [change.before, change.after].map((object) =>
      object === undefined ? [] : targetsOf(object),
    )
    if (before?.join() === after?.join()) return
    for (const target of [...(before ?? []), ...(after ?? [])])
      for (const key of pipelineOfTarget(target)) touched(key, priorityOf(change))
  }
  const autoscalers = scopes.map((scope) =>
    reflect(
      client,
      AUTOSCALER,
      { ...scope, transform: trimmedAutoscaler, indexers: { target: targetsOf } },
      autoscalerChanged,
      failed,
    ),
  )
  const all = [...pipelines, ...autoscalers, ...[...children.values()].flat()]
  const find = (reflectors: Reflector[], key: string) =>
    reflectors.map((reflector) => reflector.get(key)).find((object) => object !== undefined)
  return {
    pipeline: (key) => find(pipelines, key) as Pipeline | undefined,
    pipelines: () => pipelines.flatMap((reflector) => reflector.list()) as Pipeline[],
    onQueueOf: (pipeline) =>
      pipelines.flatMap((reflector) => reflector.by('queue', queueIdentity(pipeline))) as Pipeline[],
    child: (kind, key) => find(children.get(kind) ?? [], key),
    owned: (kind, uid) => (children.get(kind) ?? []).flatMap((reflector) => reflector.by('owner', uid)),
    autoscalersOf: (pipeline) => autoscalers.flatMap((reflector) => reflector.by('target', signalsTarget(pipeline))),
    synced: () => all.every((reflector) => reflector.synced()),
    close: async () => void (await Promise.all(all.map((reflector) => reflector.close()))),
  }
}
