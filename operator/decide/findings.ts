import type { Finding } from '#kit/conditions.ts'
import { COMPONENTS, type Component, type ComponentStatus } from './pipeline.ts'
import type { ScalingStatus } from './scaling.ts'

/** What is known of a pipeline when its conditions are decided. */
export type Seen = {
  paused: boolean
  takenBy: string | undefined
  secretProblem: string | undefined
  broker: { reachable: boolean; message: string }
  topologyProblem: string | undefined
  components: Record<Component, ComponentStatus & { progressing: boolean; failure: string | undefined }>
  scaling: ScalingStatus | undefined
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

/** The first thing that stands in the way, most basic first; undefined when nothing does. */
const obstacle = (seen: Seen): [reason: string, message: string] | undefined => {
  if (seen.takenBy !== undefined)
    return ['QueueTaken', `the pipeline ${seen.takenBy} uses this queue: name another in spec.broker.queue`]
  if (seen.secretProblem !== undefined) return ['SecretMissing', seen.secretProblem]
  if (!seen.broker.reachable) return ['BrokerUnreachable', seen.broker.message]
  if (seen.topologyProblem !== undefined) return ['TopologyMismatch', seen.topologyProblem]
  const failed = COMPONENTS.find((name) => seen.components[name].failure !== undefined)
  if (failed !== undefined) return ['RolloutFailed', `${failed}: ${seen.components[failed].failure}`]
  const names = waiting(seen)
  return names.length > 0 ? ['ComponentsNotReady', `waiting for ${names.join(', ')}`] : undefined
}

/** Every condition of a pipeline. Texts hold no ids and no times, so that an unchanged state is not written again. */
export const findingsOf = (seen: Seen): Finding[] => {
  const blocked = obstacle(seen)
  const failed = COMPONENTS.find((name) => seen.components[name].failure !== undefined)
  const serving = seen.components.producer.ready > 0 && seen.components.api.ready > 0
  const names = waiting(seen)
  const stalled = blocked?.[0] === 'QueueTaken' || blocked?.[0] === 'TopologyMismatch'
  return [
    blocked === undefined
      ? finding('Ready', true, 'AllReady', 'all components are ready')
      : finding('Ready', false, ...blocked),
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
    finding(
      'Degraded',
      failed !== undefined,
      failed !== undefined ? 'RolloutFailed' : 'AsExpected',
      failed !== undefined ? `${failed}: ${seen.components[failed].failure}` : 'nothing has failed',
    ),
    finding(
      'BrokerReachable',
      seen.broker.reachable,
      seen.broker.reachable ? 'Answers' : 'NoAnswer',
      seen.broker.message,
    ),
    finding(
      'TopologyReady',
      seen.broker.reachable && seen.topologyProblem === undefined,
      seen.topologyProblem === undefined ? (seen.broker.reachable ? 'Declared' : 'NotDeclared') : 'TopologyMismatch',
      seen.topologyProblem ??
        (seen.broker.reachable ? 'every exchange, queue and binding is declared' : 'the broker cannot be asked'),
    ),
    finding(
      'ScalingActive',
      seen.scaling !== undefined && !['ScalingOff', 'BacklogUnknown'].includes(seen.scaling.reason),
      seen.scaling?.reason ?? 'NotDecided',
      seen.scaling?.reason === 'BacklogUnknown' ? seen.scaling.message : 'see status.scaling',
    ),
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
