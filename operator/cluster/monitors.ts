import { KIND } from '#contract/pipeline.ts'
import type { Applier } from '#kit/apply.ts'
import { type Client, isForbidden, isNotFound, type KubeObject } from '#kit/client.ts'
import { type Reflector, reflect } from '#kit/reflector.ts'
import { keyOf } from '#kit/resource.ts'
import { owned } from '../decide/children.ts'
import { MONITORS, type MonitorKind, monitorsOf } from '../decide/monitors.ts'
import { CHILD_SELECTOR, type Pipeline } from '../decide/pipeline.ts'

/** What became of the monitors that a pipeline asks for. */
export type MonitorsSeen = {
  /** Kinds that are asked for and that the cluster does not have. */
  missing: string[]
  /** Kinds of which the operator may not do what is asked for. */
  forbidden: string[]
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
type Kept = 'applied' | 'changing' | 'missing' | 'forbidden'

const KINDS = Object.keys(MONITORS) as MonitorKind[]
const { group, version } = MONITORS.serviceMonitor
const DISCOVERY = `/apis/${group}/${version}`
const DISCOVERY_MS = 60_000
/** What was refused is not tried again at each look: a write that fails is one all the same. */
const FORBIDDEN_MS = 60_000

/** The condition by which a pipeline is known to have had monitors, also after a restart. */
export const MONITORING_READY = 'MonitoringReady'

/**
 * Keeps monitors, whose kinds a cluster may lack, gain and lose: a kind is followed from when a pipeline first asks for
 * it and the cluster has it, and given up when it is gone.
 * @param touched told the key of each pipeline that something happened to a monitor of
 */
export const createMonitors = (
  client: Client,
  applier: Applier,
  namespaces: string[],
  touched: (key: string) => void,
  failed: (error: Error) => void,
): Monitors => {
  const followed = new Map<MonitorKind, Reflector[]>()
  /** Kinds that may not be listed, so that nobody can say what is there. */
  const unseen = new Set<MonitorKind>()
  /** Until when a kind is not written to in a namespace, by `kind/namespace`. */
  const refused = new Map<string, number>()
  let known: { atMs: number; plurals: Set<string> } | undefined

  const served = async (): Promise<Set<string>> => {
    if (known !== undefined && Date.now() - known.atMs < DISCOVERY_MS) return known.plurals
    const list = await client
      .request<{ resources: { name: string }[] }>({ method: 'GET', path: DISCOVERY })
      .catch((error) => {
        if (isNotFound(error)) return { resources: [] }
        throw error
      })
    known = { atMs: Date.now(), plurals: new Set(list.resources.map(({ name }) => name)) }
    return known.plurals
  }

  const tell = (object: KubeObject | undefined): void => {
    for (const { kind, name } of object?.metadata.ownerReferences ?? [])
      if (kind === KIND) touched(`${object?.metadata.namespace}/${name}`)
  }

  /** The kind has left the cluster; until it is back there is nothing to follow. */
  const giveUp = (kind: MonitorKind): void => {
    for (const reflector of followed.get(kind) ?? []) void reflector.close()
    followed.delete(kind)
    unseen.delete(kind)
    known = undefined
  }

  const follow = (kind: MonitorKind): Reflector[] => {
    const scopes = namespaces.length === 0 ? [{}] : namespaces.map((namespace) => ({ namespace }))
    const reflectors = scopes.map((scope) =>
      reflect(
        client,
        MONITORS[kind],
        { ...scope, labelSelector: CHILD_SELECTOR },
        ({ before, after }) => tell(after ?? before),
        (error) => {
          if (isNotFound(error)) return giveUp(kind)
          if (isForbidden(error)) unseen.add(kind)
          failed(error)
        },
      ),
    )
    followed.set(kind, reflectors)
    return reflectors
  }

  /** Applies or removes what a pipeline has of a kind that the cluster had a minute ago at the latest. */
  const keep = async (kind: MonitorKind, pipeline: Pipeline, intent: KubeObject | undefined): Promise<Kept> => {
    const resource = MONITORS[kind]
    const reflectors = followed.get(kind) ?? follow(kind)
    const there = reflectors
      .flatMap((reflector) => reflector.list())
      .filter(({ metadata }) => metadata.ownerReferences?.some(({ uid }) => uid === pipeline.metadata.uid))
    const known = reflectors.every((reflector) => reflector.synced()) || unseen.has(kind)
    if (intent === undefined && there.length === 0) return known ? 'applied' : 'changing'
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
      if (intent === undefined || !isNotFound(error)) throw error
      giveUp(kind)
      return 'missing'
    }
  }

  return {
    ensure: async (pipeline, held) => {
      const wanted = monitorsOf(pipeline)
      const had = pipeline.status?.conditions?.some(({ type }) => type === MONITORING_READY) ?? false
      if (wanted.length === 0 && !had) return undefined
      if (held) return { missing: [], forbidden: [], state: 'held' }
      const plurals = await served()
      const [missing, forbidden]: [string[], string[]] = [[], []]
      let pending = false
      for (const kind of KINDS) {
        const intent = wanted.find((monitor) => monitor.kind === kind)?.intent
        const kept = plurals.has(MONITORS[kind].plural) ? await keep(kind, pipeline, intent) : 'missing'
        if (kept === 'missing' && intent !== undefined) missing.push(MONITORS[kind].kind)
        if (kept === 'forbidden') forbidden.push(MONITORS[kind].kind)
        pending ||= kept === 'changing'
      }
      const done = wanted.length === 0 && !pending && forbidden.length === 0
      return done ? undefined : { missing, forbidden, state: pending ? 'changing' : 'applied' }
    },
    close: async () => {
      await Promise.all([...followed.values()].flat().map((reflector) => reflector.close()))
    },
  }
}
