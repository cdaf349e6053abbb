import type { Applier } from '#kit/apply.ts'
import { ApiError, type Client, isNotFound, type KubeObject } from '#kit/client.ts'
import type { Expectations } from '#kit/expectations.ts'
import { isMoreThanStatus } from '#kit/predicates.ts'
import type { Change } from '#kit/reflector.ts'
import { byOwner } from '#kit/store.ts'
import { owned } from '../decide/children.ts'
import { differenceOf } from '../decide/diff.ts'
import type { Pipeline } from '../decide/pipeline.ts'
import { gradeOf, type Refusal } from '../decide/refusal.ts'
import { stamped, wasApplied } from '../decide/release.ts'
import { KEDA, type KedaKind } from '../decide/scaled-object.ts'
import { pipelineOfTarget, signalsTarget, targetsOf } from '../decide/scalers.ts'
import { createOptionalKinds } from './optional-kinds.ts'

export type Keda = {
  /** The ScaledObjects, whoever made them, that scale a pipeline's signals pods. */
  look: (pipeline: Pipeline) => Promise<{ scaledObjects: KubeObject[] | undefined; listed: boolean }>
  /**
   * Applies what a pipeline wants of KEDA's kinds, and removes the rest of what it owns of them. Nothing is asked of
   * the API server when all is as it shall be, or the cluster has no KEDA.
   * @returns what the API server, or KEDA's webhook, does not take
   */
  ensure: (pipeline: Pipeline, wanted: Partial<Record<KedaKind, KubeObject[]>>) => Promise<Refusal | undefined>
  close: () => Promise<void>
}

/** In the order in which they are made; the ScaledObject goes first. */
const KINDS = Object.keys(KEDA) as KedaKind[]

const conditionsOf = (object: KubeObject | undefined): string =>
  JSON.stringify((object?.status as { conditions?: object } | undefined)?.conditions ?? [])

/** At every look KEDA writes when a ScaledObject was last active, which concerns nobody here. */
const isNews = (change: Change): boolean =>
  isMoreThanStatus(change) || conditionsOf(change.before) !== conditionsOf(change.after)

/**
 * Keeps the ScaledObject of a pipeline with its credentials, and sees those of others. A cluster may lack KEDA, gain and
 * lose it.
 * @param touched told the key of each pipeline whose pods a ScaledObject scales, and that something happened to it
 */
export const createKeda = (
  client: Client,
  applier: Applier,
  namespaces: string[],
  touched: (key: string) => void,
  failed: (error: Error) => void,
  expectations: Expectations,
): Keda => {
  const kinds = createOptionalKinds(
    client,
    KEDA,
    namespaces,
    { indexers: { owner: byOwner, target: targetsOf }, expectations },
    (change) => {
      const { before, after } = change
      if (!isNews(change)) return
      for (const object of [before, after])
        for (const target of object === undefined ? [] : targetsOf(object)) pipelineOfTarget(target).forEach(touched)
    },
    failed,
  )

  const keep = async (kind: KedaKind, pipeline: Pipeline, wanted: KubeObject): Promise<void> => {
    const intent = stamped(owned(pipeline, wanted))
    const reflectors = kinds.follow(kind)
    if (!reflectors.every((reflector) => reflector.synced())) return
    const live = reflectors
      .flatMap((reflector) => reflector.by('owner', pipeline.metadata.uid ?? ''))
      .find(({ metadata }) => metadata.name === intent.metadata.name)
    // It is made anew once it is gone.
    if (live?.metadata.deletionTimestamp !== undefined) return
    if (live !== undefined && wasApplied(intent, live) && differenceOf(intent, live) === undefined) return
    await applier.apply(KEDA[kind], intent, live)
  }

  const removeOthers = async (kind: KedaKind, pipeline: Pipeline, wanted: readonly KubeObject[]): Promise<void> => {
    const there = kinds.follow(kind).flatMap((reflector) => reflector.by('owner', pipeline.metadata.uid ?? ''))
    const names = wanted.map(({ metadata }) => metadata.name)
    for (const live of there)
      if (!names.includes(live.metadata.name) && live.metadata.deletionTimestamp === undefined)
        await applier.remove(KEDA[kind], live)
  }

  return {
    look: async (pipeline) => {
      if (!(await kinds.served()).has('scaledObject')) return { scaledObjects: undefined, listed: true }
      const reflectors = kinds.follow('scaledObject')
      return {
        scaledObjects: reflectors.flatMap((reflector) => reflector.by('target', signalsTarget(pipeline))),
        listed: reflectors.every((reflector) => reflector.synced()),
      }
    },
    ensure: async (pipeline, wanted) => {
      const served = await kinds.served()
      for (const kind of KINDS.toReversed())
        if (served.has(kind)) await removeOthers(kind, pipeline, wanted[kind] ?? [])
      const intents = KINDS.flatMap((kind) => (wanted[kind] ?? []).map((intent) => ({ kind, intent })))
      for (const { kind, intent } of intents) {
        if (!served.has(kind)) continue
        try {
          await keep(kind, pipeline, intent)
        } catch (error) {
          if (!(error instanceof ApiError)) throw error
          if (isNotFound(error)) return void kinds.giveUp(kind)
          const grade = gradeOf(error, `${KEDA[kind].kind} ${intent.metadata.name}`)
          if (grade.kind !== 'refused') throw error
          return grade.refusal
        }
      }
      return undefined
    },
    close: kinds.close,
  }
}
