import type { KubeObject } from '#kit/client.ts'
import { type Child, childrenOf, orphansAmong, type Replicas } from './children.ts'
import type { Release } from './deployment.ts'
import { differenceOf } from './diff.ts'
import type { Component, Pipeline } from './pipeline.ts'
import { rolledOut, settingsNamesOf, stamped, wasApplied } from './release.ts'
import type { ChildKind } from './resources.ts'
import { rolloutOf } from './rollout.ts'
import type { SecretVersions } from './secret-versions.ts'

export type Owned = { kind: ChildKind; object: KubeObject }

/** All that is known of a pipeline when it is decided what to do. */
export type Observed = {
  pipeline: Pipeline
  /** Nothing may be made: paused, its queue is another's, a connection is not known, or its topology cannot be. */
  blocked: boolean
  /** False while the broker cannot be asked. */
  brokerKnown: boolean
  /** Every child that the pipeline owns by uid, in any order. */
  children: readonly Owned[]
  replicas: Replicas
  secrets: SecretVersions
}

export type Action =
  | {
      do: 'apply'
      kind: ChildKind
      component: Component
      intent: KubeObject
      live: KubeObject | undefined
      /** Missing: nobody has it yet. Changed: something else was applied last. Drifted: somebody changed it since. */
      cause: 'Missing' | 'Changed' | 'Drifted'
    }
  | { do: 'remove'; kind: ChildKind; object: KubeObject & { metadata: { uid: string } } }

export type Plan = {
  /** In the order in which they are to be done. */
  actions: Action[]
  /** Children that are as they shall be. */
  skipped: number
  /** Components that run what another build rolled out for the same spec; undefined when it was not decided. */
  kept: Component[] | undefined
  /** True when every pod runs with the settings of now. */
  settled: boolean
}

const liveOf = ({ children }: Observed, kind: ChildKind, { metadata }: KubeObject): KubeObject | undefined =>
  children.find((child) => child.kind === kind && child.object.metadata.name === metadata.name)?.object

/** How many pods a Deployment asks for. */
export const numberIn = (deployment: KubeObject | undefined): number =>
  ((deployment?.spec ?? {}) as { replicas?: number }).replicas ?? 0

const nameOf = (action: Action): string =>
  `${action.kind}/${action.do === 'apply' ? action.intent.metadata.name : action.object.metadata.name}`

/** Every child as it shall be; a component that keeps a former build's template keeps its settings, too. */
const wantedOf = (seen: Observed, release: Release): { wanted: Child[]; kept: Component[] } => {
  const all = childrenOf(seen.pipeline, seen.replicas, release, seen.secrets)
  const settings = new Set(
    seen.children.filter(({ kind }) => kind === 'configMap').map(({ object }) => object.metadata.name),
  )
  const kept: Component[] = []
  const unused = new Set<string>()
  const rolled = all.map((child): Child => {
    if (child.kind !== 'deployment') return child
    const live = liveOf(seen, 'deployment', child.intent)
    const mounted = seen.secrets.keys[child.component].secret
    const { intent, kept: keeps } = rolledOut(seen.pipeline, mounted, child.intent, live, settings)
    if (keeps) kept.push(child.component)
    const used = settingsNamesOf(intent)
    for (const name of settingsNamesOf(child.intent)) if (!used.includes(name)) unused.add(name)
    return { ...child, intent }
  })
  const wanted = rolled
    .filter(({ kind, intent }) => !(kind === 'configMap' && unused.has(intent.metadata.name)))
    .map((child) => ({ ...child, intent: stamped(child.intent) }))
  return { wanted, kept }
}

const isSettled = (seen: Observed, deployments: readonly Child[]): boolean =>
  deployments.every(({ component, intent }) => {
    const live = liveOf(seen, 'deployment', intent)
    const same = settingsNamesOf(live).join() === settingsNamesOf(intent).join()
    return same && !rolloutOf(live, seen.replicas[component] ?? numberIn(live)).progressing
  })

/** What is there and not wanted, settings once no pod uses them any more. */
const superfluous = (seen: Observed, wanted: readonly Child[], used: ReadonlySet<string>, settled: boolean): Action[] =>
  orphansAmong(seen.pipeline, seen.children, wanted, settled)
    .flatMap(({ kind, object }): Action[] => {
      const { uid, deletionTimestamp, name } = object.metadata
      if (uid === undefined || deletionTimestamp !== undefined || (kind === 'configMap' && used.has(name))) return []
      return [{ do: 'remove', kind, object: { ...object, metadata: { ...object.metadata, uid } } }]
    })
    .sort((one, other) => (nameOf(one) < nameOf(other) ? -1 : 1))

/**
 * Names an observation: another name may be another plan. Cheap, where a plan takes two milliseconds: in a steady state
 * nothing is planned anew.
 */
export const observationOf = ({ pipeline, blocked, brokerKnown, children, replicas, secrets }: Observed): string =>
  JSON.stringify([
    pipeline.metadata.generation,
    blocked,
    brokerKnown,
    replicas,
    secrets,
    children.map(({ object }) => `${object.metadata.uid} ${object.metadata.resourceVersion}`),
  ])

/**
 * What is to be done for a pipeline. Pure: the same observation always gives the same plan, byte for byte, and a plan
 * that has been carried out leaves an empty one. Nothing is removed whose uid is not known, nor while the pipeline is
 * blocked or its broker is not known: what looks superfluous then may be needed again.
 */
export const planOf = (seen: Observed, release: Release): Plan => {
  if (seen.blocked) return { actions: [], skipped: 0, kept: undefined, settled: false }
  const { wanted, kept } = wantedOf(seen, release)
  const applies = wanted.flatMap(({ kind, component, intent }): Action[] => {
    const live = liveOf(seen, kind, intent)
    const action = { do: 'apply' as const, kind, component, intent, live }
    if (live === undefined) return [{ ...action, cause: 'Missing' }]
    // It is made anew once it is gone, which is an event of its own.
    if (live.metadata.deletionTimestamp !== undefined) return []
    if (!wasApplied(intent, live)) return [{ ...action, cause: 'Changed' }]
    return differenceOf(intent, live) === undefined ? [] : [{ ...action, cause: 'Drifted' }]
  })
  const deployments = wanted.filter(({ kind }) => kind === 'deployment')
  const used = new Set(deployments.flatMap(({ intent }) => settingsNamesOf(intent)))
  const settled = isSettled(seen, deployments)
  const removals = seen.brokerKnown ? superfluous(seen, wanted, used, settled) : []
  return { actions: [...applies, ...removals], skipped: wanted.length - applies.length, kept, settled }
}
