import type { ScalingReason } from '#contract/scaling/reasons.ts'
import type { Finding } from '#kit/conditions.ts'
import { COMPONENTS, type Component } from './pipeline.ts'
import type { Refusal } from './refusal.ts'
import type { Rollout } from './rollout.ts'
import type { ScalingStatus } from './scaling.ts'

/** What is known of a pipeline when its conditions are decided. */
export type Seen = {
  /** Ready has been True or False before. */
  decided: boolean
  paused: boolean
  takenBy: string | undefined
  secretProblem: string | undefined
  broker: { reachable: boolean; message: string }
  topologyProblem: string | undefined
  /** Undefined when no monitors are asked for. */
  monitoring:
    | { missing: string[]; forbidden: string[]; taken?: string | undefined; state: 'applied' | 'changing' | 'held' }
    | undefined
  components: Record<Component, Rollout>
  /** The first child that the API server does not take. */
  refusal: Refusal | undefined
  /**
   * Components that run what a former release of the operator rolled out, undefined when that was not decided, and the
   * image that this release would roll out.
   */
  kept: { components: readonly Component[] | undefined; image: string }
  scaling: ScalingStatus | undefined
  /** What of the scaling block its provider cannot do. */
  unsupported: readonly string[]
}

const finding = (type: string, holds: boolean | undefined, reason: string, message: string): Finding => ({
  type,
  status: holds === undefined ? 'Unknown' : holds ? 'True' : 'False',
  reason,
  message,
})

const waiting = (seen: Seen): string[] =>
  COMPONENTS.filter((name) => seen.components[name].ready < seen.components[name].desired).map(
    (name) => `${name} ${seen.components[name].ready}/${seen.components[name].desired}`,
  )

/** Why components do not come up, all of them; the reason is that of the first. */
const failure = (seen: Seen): { reason: string; message: string; late: boolean } | undefined => {
  const failed = COMPONENTS.flatMap((name) => {
    const { problem, late } = seen.components[name]
    return problem === undefined ? [] : [{ name, late, ...problem }]
  })
  const [first] = failed
  if (first === undefined) return undefined
  return {
    reason: first.reason,
    message: failed.map(({ name, message }) => `${name}: ${message}`).join('; '),
    late: failed.some(({ late }) => late),
  }
}

/** The first thing that stands in the way, most basic first; undefined when nothing does. */
const obstacle = (seen: Seen): [reason: string, message: string] | undefined => {
  if (seen.takenBy !== undefined)
    return ['QueueTaken', `the pipeline ${seen.takenBy} uses this queue: name another in spec.broker.queue`]
  if (seen.secretProblem !== undefined) return ['SecretMissing', seen.secretProblem]
  if (!seen.broker.reachable) return ['BrokerUnreachable', seen.broker.message]
  if (seen.topologyProblem !== undefined) return ['TopologyMismatch', seen.topologyProblem]
  if (seen.refusal !== undefined) return [seen.refusal.reason, seen.refusal.message]
  const failed = failure(seen)
  if (failed !== undefined) return [failed.reason, failed.message]
  const names = waiting(seen)
  return names.length > 0 ? ['ComponentsNotReady', `waiting for ${names.join(', ')}`] : undefined
}

/** Nothing will change until the spec does, or what the reason names. */
const NEEDS_A_CHANGE = ['QueueTaken', 'TopologyMismatch', 'ChildInvalid']

const ready = (seen: Seen, blocked: [reason: string, message: string] | undefined): Finding => {
  if (blocked === undefined) return finding('Ready', true, 'AllReady', 'all components are ready')
  // The first pods are on their way: whether they come up, nobody can tell yet.
  const unknown = blocked[0] === 'ComponentsNotReady' && !seen.decided
  return finding('Ready', unknown ? undefined : false, ...blocked)
}

const upToDate = ({ kept: { components, image } }: Seen): Finding => {
  if (components === undefined) return finding('UpToDate', undefined, 'NotDecided', 'nothing is rolled out now')
  if (components.length === 0)
    return finding('UpToDate', true, 'CurrentRelease', 'the pods are those that this release of the operator rolls out')
  const sentence = `${components.join(', ')} stay as a former release rolled them out; the next change of the spec that concerns the pods takes this one, with the image ${image}`
  return finding('UpToDate', false, 'FormerRelease', sentence)
}

/** Reasons for which nobody scales as the spec asks for. */
const NOT_SCALING: readonly ScalingReason[] = [
  'ScalingOff',
  'BacklogUnknown',
  'KedaMissing',
  'KedaNotReady',
  'KedaLeaving',
  'Conflict',
]

const scalingOf = ({ scaling }: Seen): Finding => {
  if (scaling === undefined) return finding('ScalingActive', false, 'NotDecided', 'see status.scaling')
  const { reason, message } = scaling
  const holds = reason === 'KedaPending' ? undefined : !NOT_SCALING.includes(reason)
  const told = reason === 'BacklogUnknown' || scaling.inputs?.elsewhere != null
  return finding('ScalingActive', holds, reason, told ? message : 'see status.scaling')
}

const topologyOf = ({ topologyProblem, paused, takenBy, broker }: Seen): Finding => {
  if (topologyProblem !== undefined) return finding('TopologyReady', false, 'TopologyMismatch', topologyProblem)
  if (paused || takenBy !== undefined)
    return finding('TopologyReady', undefined, 'NotDecided', 'nothing is declared now')
  if (!broker.reachable) return finding('TopologyReady', false, 'NotDeclared', 'the broker cannot be asked')
  return finding('TopologyReady', true, 'Declared', 'every exchange, queue and binding is declared')
}

/** Only of a pipeline whose provider is another's scaler. */
const unsupportedOf = ({ unsupported }: Seen): Finding[] =>
  unsupported.length === 0
    ? []
    : [
        finding(
          'ProviderUnsupportedFields',
          true,
          'NotInKeda',
          `KEDA does not do all of the block: ${unsupported.join('; ')}`,
        ),
      ]

/** Only of a pipeline that asks for monitors, or did so until now. */
const monitoringOf = ({ monitoring }: Seen): Finding[] => {
  if (monitoring === undefined) return []
  if (monitoring.missing.length > 0)
    return [
      finding(
        'MonitoringReady',
        false,
        'MonitoringUnavailable',
        `the cluster has no ${monitoring.missing.join(' and no ')}: install the Prometheus operator, or switch it off in spec.monitoring`,
      ),
    ]
  if (monitoring.forbidden.length > 0)
    return [
      finding(
        'MonitoringReady',
        false,
        'MonitoringForbidden',
        `the operator may not write ${monitoring.forbidden.join(' and ')}: grant it what its chart does, or switch it off in spec.monitoring`,
      ),
    ]
  if (monitoring.taken !== undefined) return [finding('MonitoringReady', false, 'NameTaken', monitoring.taken)]
  return [
    {
      applied: finding('MonitoringReady', true, 'MonitorsApplied', 'everything that spec.monitoring asks for is there'),
      changing: finding('MonitoringReady', false, 'MonitorsChanging', 'what is no longer asked for is being removed'),
      held: finding('MonitoringReady', undefined, 'NotDecided', 'nothing is changed now'),
    }[monitoring.state],
  ]
}

/** Every condition of a pipeline. Texts hold no ids and no times, so that an unchanged state is not written again. */
export const findingsOf = (seen: Seen): Finding[] => {
  const blocked = obstacle(seen)
  const failed = failure(seen)
  const serving = seen.components.producer.serving > 0 && seen.components.api.serving > 0
  const names = waiting(seen)
  const stalled =
    blocked !== undefined &&
    (NEEDS_A_CHANGE.includes(blocked[0]) || (failed?.late === true && failed.reason === blocked[0]))
  return [
    ready(seen, blocked),
    finding(
      'Available',
      serving,
      serving ? 'Serving' : 'NotServing',
      serving ? 'recordings are taken and served' : 'producer or api has no ready pod',
    ),
    finding(
      'Progressing',
      names.length > 0,
      names.length > 0 ? 'RollingOut' : 'Settled',
      names.length > 0 ? `waiting for ${names.join(', ')}` : 'every pod that is wanted is there',
    ),
    finding('Degraded', failed !== undefined, failed?.reason ?? 'AsExpected', failed?.message ?? 'nothing has failed'),
    upToDate(seen),
    finding(
      'BrokerReachable',
      seen.broker.reachable,
      seen.broker.reachable ? 'Answers' : 'NoAnswer',
      seen.broker.message,
    ),
    topologyOf(seen),
    scalingOf(seen),
    ...unsupportedOf(seen),
    ...monitoringOf(seen),
    finding(
      'Paused',
      seen.paused,
      seen.paused ? 'SpecPaused' : 'NotPaused',
      seen.paused ? 'spec.paused is true: nothing is changed' : 'the operator is at work',
    ),
    finding(
      'Reconciling',
      blocked !== undefined && !stalled,
      blocked?.[0] ?? 'Settled',
      blocked?.[1] ?? 'the state is the one that is wanted',
    ),
    finding(
      'Stalled',
      stalled,
      stalled ? (blocked?.[0] ?? '') : 'NotStalled',
      stalled ? (blocked?.[1] ?? '') : 'nothing needs a change of the spec',
    ),
  ]
}
