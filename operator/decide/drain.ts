import { DRAIN_ANNOTATION } from '#contract/drain.ts'
import type { Scaling } from '#contract/scaling/block.ts'
import type { DrainStatus } from '#contract/scaling/status.ts'
import { DRAIN_VOLUME } from './deployment.ts'
import type { Pod } from './pods.ts'

/** The ReplicaSet takes the pods first that cost the least; those without it cost 0 (KEP-2255). */
export const DELETION_COST = 'controller.kubernetes.io/pod-deletion-cost'
/** A ReplicaSet that has not deleted a pod so long after it should have gone deletes another, or none. */
const LEAVING_MS = 60_000

/** A signals pod that is not ending, as far as its leave is concerned. */
export type DrainPod = {
  name: string
  createdAt: string
  ready: boolean
  /** Its process runs, so that it may hold messages. */
  running: boolean
  /** It can hear that it is to go; one that a former release rolled out cannot, and finishes on SIGTERM. */
  hears: boolean
  /** When it was told to go. */
  toldMs?: number
  /** It has its deletion cost. */
  priced: boolean
  /** It has said that it holds nothing. */
  finished: boolean
}

export type DrainSeen = {
  /** Pods as the Deployment's spec has them, and as they shall be. */
  current: number
  wanted: number
  /** What the status says: with it, a drain is on, whoever began it. */
  before: DrainStatus | undefined
  /** Only looked at while a drain is on. */
  pods: readonly DrainPod[]
  drain: Scaling['drain']
  nowMs: number
}

export const DRAIN_REASONS = ['Drained', 'DrainTimedOut', 'DrainCancelled'] as const

export type DrainPlan = {
  /** What the Deployment is to have now. */
  replicas: number
  /** Pods to tell that they go, that they stay, and to give their deletion cost, in this order and before `replicas`. */
  tell: string[]
  free: string[]
  price: string[]
  status: DrainStatus | undefined
  news?: { reason: (typeof DRAIN_REASONS)[number]; note: string }
}

/** While nothing may be changed: what was begun waits. */
export const heldDrain = ({
  current,
  wanted,
  before,
}: Pick<DrainSeen, 'current' | 'wanted' | 'before'>): DrainPlan => ({
  replicas: before === undefined ? wanted : current,
  tell: [],
  free: [],
  price: [],
  status: before,
})

/** @param finished names of the pods that said so */
export const drainPodsOf = (pods: readonly Pod[], finished: ReadonlySet<string>): DrainPod[] =>
  pods
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .filter(({ status }) => status?.phase !== 'Succeeded' && status?.phase !== 'Failed')
    .map(({ metadata: { name, creationTimestamp = '', annotations = {} }, spec, status }) => {
      const told = annotations[DRAIN_ANNOTATION]
      return {
        name,
        createdAt: creationTimestamp,
        ready: status?.conditions?.some(({ type, status: holds }) => type === 'Ready' && holds === 'True') ?? false,
        running: status?.containerStatuses?.some(({ state }) => state?.running !== undefined) ?? false,
        hears: spec.volumes?.some((volume) => volume.name === DRAIN_VOLUME) ?? false,
        ...(told !== undefined && { toldMs: Date.parse(told) || 0 }),
        priced: annotations[DELETION_COST] !== undefined,
        finished: finished.has(name),
      }
    })

/** The pods by how little is lost with them: those that have finished or were told already, that do not serve, the newest. */
const byLoss = (pods: readonly DrainPod[]): DrainPod[] => {
  const rank = ({ toldMs, finished, ready }: DrainPod) => (toldMs === undefined ? (ready ? 3 : 2) : finished ? 0 : 1)
  return [...pods].sort(
    (one, other) =>
      rank(one) - rank(other) ||
      (one.createdAt === other.createdAt ? 0 : one.createdAt < other.createdAt ? 1 : -1) ||
      (one.name < other.name ? -1 : 1),
  )
}

const namesOf = (pods: readonly DrainPod[]): string[] => pods.map(({ name }) => name)
const counted = (count: number): string => `${count} ${count === 1 ? 'pod' : 'pods'}`

const during = (from: number, to: number, victims: readonly DrainPod[]): DrainStatus => {
  const finished = victims.filter((pod) => pod.toldMs !== undefined && pod.finished).length
  return { from, to, finished, message: `draining ${from - to} of ${counted(from)}: ${finished} finished` }
}

/**
 * Takes pods away in steps that each can be the last of a process: what goes on is in the status, who goes is on the
 * pods. First the status says that a drain is on; then pods are told, and finish; then they get their deletion cost, and
 * only then the Deployment its lower number, so that the ReplicaSet takes these; at last, when none of the told is left,
 * the status says nothing any more. More work meanwhile frees the told again before it starts others. Pure.
 */
export const decideDrain = ({ current, wanted, before, pods, drain, nowMs }: DrainSeen): DrainPlan => {
  const nothing = { tell: [], free: [], price: [] }
  if (before === undefined)
    return wanted < current && drain.strategy === 'Cooperative'
      ? { ...nothing, replicas: current, status: during(current, wanted, []) }
      : { ...nothing, replicas: wanted, status: undefined }

  const told = pods.filter(({ toldMs }) => toldMs !== undefined)
  const dueMs = ({ toldMs = nowMs }: DrainPod): number => toldMs + drain.timeoutSeconds * 1000
  if (wanted >= current) {
    if (told.length === 0) return { ...nothing, replicas: wanted, status: undefined }
    // By the number that the Deployment has, not by the one it gets: freed first, they could be deleted with messages.
    const awaited = pods.length > current && told.some((pod) => nowMs < dueMs(pod) + LEAVING_MS)
    if (awaited && (wanted === 0 || told.some(({ priced }) => priced)))
      return { ...nothing, replicas: wanted, status: before }
    const note = `signals: kept ${counted(told.length)} of those that were to go`
    return {
      ...nothing,
      replicas: wanted,
      free: namesOf(told),
      status: before,
      news: { reason: 'DrainCancelled', note },
    }
  }

  const victims = byLoss(pods).slice(0, Math.max(0, pods.length - wanted))
  const status = during(Math.max(before.from, current), wanted, victims)
  const tell = namesOf(victims.filter(({ toldMs }) => toldMs === undefined))
  const free = namesOf(told.filter((pod) => !victims.includes(pod)))
  const left = victims.filter((pod) => pod.hears && pod.running && !pod.finished)
  const late = left.length > 0 && left.every((pod) => nowMs >= dueMs(pod))
  if (tell.length > 0 || free.length > 0 || (left.length > 0 && !late && drain.strategy === 'Cooperative'))
    return { ...nothing, replicas: current, tell, free, status }
  const move = `signals: ${current} -> ${wanted}`
  const all = victims.length
  return {
    ...nothing,
    replicas: wanted,
    // When all go, none has to be chosen.
    price: wanted === 0 ? [] : namesOf(victims.filter(({ priced }) => !priced)),
    status,
    news: late
      ? {
          reason: 'DrainTimedOut',
          note: `${move} although ${left.length} of ${all} had not finished after ${drain.timeoutSeconds} s`,
        }
      : { reason: 'Drained', note: `${move} after ${all} of ${all} had finished` },
  }
}
