import type { KubeObject } from '#kit/client.ts'
import { hashOf } from './canonical.ts'
import type { ComponentStatus } from './pipeline.ts'
import { imageOf } from './release.ts'

export type Problem = { reason: string; message: string }

/** What was found among the pods of a Deployment, and the template that they were looked at for. */
export type PodsSeen = Problem & { template: string }

/** How far a component is with what its Deployment asks for. */
export type Rollout = ComponentStatus & {
  /** Ready pods of any template: a roll-out that has stopped leaves the former ones. */
  serving: number
  progressing: boolean
  problem: Problem | undefined
  /** Its deadline is over: it will not go on by itself. */
  late: boolean
}

type DeploymentCondition = { type: string; status: string; reason?: string; message?: string }

/** Reasons for which a Deployment itself makes no progress. */
export const DEPLOYMENT_REASONS = [
  'QuotaExceeded',
  'LimitRangeViolated',
  'PodSecurityViolated',
  'PodsRefused',
  'ProgressDeadlineExceeded',
] as const
export type DeploymentReason = (typeof DEPLOYMENT_REASONS)[number]

const refusalOf = (message: string): DeploymentReason =>
  message.includes('exceeded quota') || message.includes('failed quota')
    ? 'QuotaExceeded'
    : message.includes('violates PodSecurity')
      ? 'PodSecurityViolated'
      : /(maximum|minimum) (cpu|memory|storage|[a-z-]+) (usage|limit to request ratio)/.test(message)
        ? 'LimitRangeViolated'
        : 'PodsRefused'

/** Why the pods of a Deployment are refused, if they are. */
const refusalAmong = (conditions: readonly DeploymentCondition[]): Problem | undefined => {
  const refused = conditions.find(({ type, status }) => type === 'ReplicaFailure' && status === 'True')
  if (refused === undefined) return undefined
  const message = refused.message ?? ''
  // The name of the pod changes with each try, and what is used with whatever else runs in the namespace.
  const sentence = message.replace(/^pods "[^"]*" is forbidden: /, '').replace(/, used: .*?(?=, limited:)/, '')
  return { reason: refusalOf(message), message: `its pods are refused: ${sentence}` }
}

type DeploymentStatus = {
  readyReplicas?: number
  updatedReplicas?: number
  replicas?: number
  observedGeneration?: number
  conditions?: DeploymentCondition[]
}

/** Names a Deployment's pod template. */
export const templateOf = (deployment: KubeObject): string =>
  hashOf((deployment.spec as { template?: unknown } | undefined)?.template)

/**
 * What a component's Deployment tells of it.
 * @param desired as decided, also before the Deployment knows
 * @param before what was last told of it: the image that runs while the pods of a former template are there
 * @param pods what was found among its pods; of another template it says nothing any more
 */
export const rolloutOf = (
  live: KubeObject | undefined,
  desired: number,
  before?: ComponentStatus,
  pods?: PodsSeen,
): Rollout => {
  const status = (live?.status ?? {}) as DeploymentStatus
  const conditions = status.conditions ?? []
  const current = live !== undefined && status.observedGeneration === live.metadata.generation
  // Which of the ready pods are of this template is not told; all of the former one are taken for ready.
  const former = (status.replicas ?? 0) - (status.updatedReplicas ?? 0)
  const ready = current ? Math.max(0, Math.min((status.readyReplicas ?? 0) - former, desired)) : 0
  const progressing = !current || former > 0 || (status.updatedReplicas ?? 0) < desired
  const late = current && conditions.some(({ type, status: holds }) => type === 'Progressing' && holds === 'False')
  const incomplete = progressing || ready < desired
  const found = pods !== undefined && live !== undefined && pods.template === templateOf(live) ? pods : undefined
  const deadline = {
    reason: 'ProgressDeadlineExceeded' satisfies DeploymentReason,
    message: 'its pods do not become ready in time',
  }
  const problem = (current ? refusalAmong(conditions) : undefined) ?? found ?? (late ? deadline : undefined)
  return {
    desired,
    ready,
    image: ((!current || former > 0) && before?.image) || imageOf(live) || '',
    serving: status.readyReplicas ?? 0,
    progressing,
    problem:
      incomplete && desired > 0 && problem !== undefined
        ? { reason: problem.reason, message: problem.message }
        : undefined,
    late,
  }
}
