import { KIND } from '#contract/pipeline.ts'
import type { Applier } from '#kit/apply.ts'
import { type Client, isForbidden, isNameTaken, isNotFound, type KubeObject } from '#kit/client.ts'
import { ownerKeys } from '#kit/owners.ts'
import { keyOf } from '#kit/resource.ts'
import { owned } from '../decide/children.ts'
import { MONITORS, type MonitorKind, monitorsOf } from '../decide/monitors.ts'
import { CHILD_SELECTOR, type Pipeline } from '../decide/pipeline.ts'
import { takenMessage } from '../decide/refusal.ts'
import { createOptionalKinds } from './optional-kinds.ts'

/** What became of the monitors that a pipeline asks for. */
export type MonitorsSeen = {
  /** Kinds that are asked for and that the cluster does not have. */
  missing: string[]
  /** Kinds of which the operator may not do what is asked for. */
  forbidden: string[]
  /** The first whose name another's object has, in a sentence. */
  taken?: string | undefined
  /** changing: what is no longer asked for is still going. held: nothing is changed now. */
  state: 'applied' | 'changing' | 'held'
}

export type Monitors = {
  /**
   * Applies what a pipeline asks for of the Prometheus operator's kinds, and removes the rest.
   * @param held true leaves everything as it is
   * @returns undefined when it asks for nothing and nothing is left; then nothing was asked of the API server either
   */
  ensure: (pipeline: Pipeline, held: boolean) => Promise<MonitorsSeen | undefined>
  close: () => Promise<void>
}

/** What became of one kind. */
type Kept = 'applied' | 'changing' | 'missing' | 'forbidden' | { taken: string }

const KINDS = Object.keys(MONITORS) as MonitorKind[]
/** What was refused is not tried again at each look: a write that fails is one all the same. */
const FORBIDDEN_MS = 60_000

/** The condition by which a pipeline is known to have had monitors, also after a restart. */
export const MONITORING_READY = 'MonitoringReady'

/**
 * Keeps monitors, whose kinds a cluster may lack, gain and lose.
 * @param touched told the key of each pipeline that something happened to a monitor of
 */
export const createMonitors = (
  client: Client,
  applier: Applier,
  namespaces: string[],
  touched: (key: string) => void,
  failed: (error: Error) => void,
): Monitors => {
  const kinds = createOptionalKinds(
    client,
    MONITORS,
    namespaces,
    { labelSelector: CHILD_SELECTOR },
    ({ before, after }) => {
      for (const key of ownerKeys(after ?? before, KIND)) touched(key)
    },
    failed,
  )
  /** Until when a kind is not written to in a namespace, by `kind/namespace`. */
  const refused = new Map<string, number>()

  /** Applies or removes what a pipeline has of a kind that the cluster had a minute ago at the latest. */
  const keep = async (kind: MonitorKind, pipeline: Pipeline, intent: KubeObject | undefined): Promise<Kept> => {
    const resource = MONITORS[kind]
    const there = kinds
      .follow(kind)
      .flatMap((reflector) => reflector.list())
      .filter(({ metadata }) => metadata.ownerReferences?.some(({ uid }) => uid === pipeline.metadata.uid))
    if (intent === undefined && there.length === 0) return kinds.isRead(kind) ? 'applied' : 'changing'
    const place = `${kind}/${pipeline.metadata.namespace}`
    if ((refused.get(place) ?? 0) > Date.now()) return 'forbidden'
    try {
      if (intent === undefined) {
        for (const live of there) await applier.remove(resource, live)
        return 'changing'
      }
      const live = there.find((monitor) => keyOf(monitor) === keyOf(intent))
      await applier.apply(resource, owned(pipeline, intent), live)
      return 'applied'
    } catch (error) {
      if (isForbidden(error)) {
        refused.set(place, Date.now() + FORBIDDEN_MS)
        return 'forbidden'
      }
      if (intent !== undefined && isNameTaken(error))
        return { taken: takenMessage(`${resource.kind} ${intent.metadata.name}`, error.message) }
      if (intent === undefined || !isNotFound(error)) throw error
      kinds.giveUp(kind)
      return 'missing'
    }
  }

  return {
    ensure: async (pipeline, held) => {
      const wanted = monitorsOf(pipeline)
      const had = pipeline.status?.conditions?.some(({ type }) => type === MONITORING_READY) ?? false
      if (wanted.length === 0 && !had) return undefined
      if (held) return { missing: [], forbidden: [], state: 'held' }
      const served = await kinds.served()
      const [missing, forbidden]: [string[], string[]] = [[], []]
      let taken: string | undefined
      let pending = false
      for (const kind of KINDS) {
        const intent = wanted.find((monitor) => monitor.kind === kind)?.intent
        const kept = served.has(kind) ? await keep(kind, pipeline, intent) : 'missing'
        if (kept === 'missing' && intent !== undefined) missing.push(MONITORS[kind].kind)
        if (kept === 'forbidden') forbidden.push(MONITORS[kind].kind)
        if (typeof kept === 'object') taken ??= kept.taken
        pending ||= kept === 'changing'
      }
      const done = wanted.length === 0 && !pending && forbidden.length === 0
      return done ? undefined : { missing, forbidden, taken, state: pending ? 'changing' : 'applied' }
    },
    close: kinds.close,
  }
}
