type ContainerState = {
  waiting?: { reason?: string; message?: string }
  running?: object
  terminated?: { reason?: string; exitCode?: number }
}

type ContainerStatus = {
  name: string
  ready: boolean
  restartCount: number
  state?: ContainerState
  lastState?: ContainerState
}

/** What of a v1 Pod is looked at. */
export type Pod = {
  metadata: {
    name: string
    creationTimestamp?: string
    deletionTimestamp?: string
    annotations?: Record<string, string>
  }
  spec: {
    containers: { name: string; image: string; resources?: { limits?: { memory?: string } } }[]
    volumes?: { name: string }[]
  }
  status?: {
    phase?: string
    podIP?: string
    conditions?: { type: string; status: string; reason?: string; message?: string }[]
    containerStatuses?: ContainerStatus[]
  }
}

/** Why pods do not come up, in the API's own words, the surest cause first. */
export const POD_REASONS = [
  'InvalidImageName',
  'ErrImageNeverPull',
  'ImagePullBackOff',
  'CreateContainerConfigError',
  'CreateContainerError',
  'OOMKilled',
  'CrashLoopBackOff',
  'Unschedulable',
] as const
export type PodReason = (typeof POD_REASONS)[number]

/** Where the log of a process that ended is; `previous` when it has been started again since. */
export type Crash = { pod: string; container: string; previous: boolean }

export type PodProblem = { reason: PodReason; message: string; crash?: Crash }

/** Two words of one state: the kubelet goes to and fro between them. */
const SAME_STATE: Record<string, PodReason> = {
  ErrImagePull: 'ImagePullBackOff',
  RunContainerError: 'CreateContainerError',
}

const reasonOf = (word: string | undefined): PodReason | undefined =>
  POD_REASONS.find((reason) => reason === (SAME_STATE[word ?? ''] ?? word))

/** What every answer of a registry says, as far as it can be told from it; addresses differ from try to try. */
const pullFailure = (message = ''): string =>
  /dial tcp|connection refused|no such host|timeout/i.test(message)
    ? ': the registry does not answer'
    : /not found|manifest unknown|does not exist/i.test(message)
      ? ': the registry does not have it'
      : /unauthori[sz]ed|denied|forbidden|authentication/i.test(message)
        ? ': the registry refuses, see podTemplate.imagePullSecrets'
        : ''

const withoutNames = (message: string, pod: string): string => message.replaceAll(pod, 'the pod')

const problemOfContainer = (pod: Pod, status: ContainerStatus): PodProblem | undefined => {
  const container = pod.spec.containers.find(({ name }) => name === status.name)
  const image = container?.image ?? ''
  const { waiting } = status.state ?? {}
  const ended = status.state?.terminated ?? status.lastState?.terminated
  const crash: Crash = {
    pod: pod.metadata.name,
    container: status.name,
    previous: status.state?.terminated === undefined,
  }
  if (ended?.reason === 'OOMKilled') {
    const limit = container?.resources?.limits?.memory
    return {
      reason: 'OOMKilled',
      message: `the process needs more memory than its limit${limit === undefined ? '' : ` of ${limit}`}: raise resources.limits.memory`,
    }
  }
  const reason = reasonOf(waiting?.reason)
  switch (reason) {
    case 'InvalidImageName':
      return { reason, message: `"${image}" is no name of an image` }
    case 'ErrImageNeverPull':
      return { reason, message: `the image "${image}" is not on the node and may not be pulled` }
    case 'ImagePullBackOff':
      return { reason, message: `the image "${image}" cannot be pulled${pullFailure(waiting?.message)}` }
    case 'CreateContainerConfigError':
    case 'CreateContainerError':
      return { reason, message: withoutNames(waiting?.message ?? 'the container cannot be made', pod.metadata.name) }
  }
  if (ended === undefined) return undefined
  return { reason: 'CrashLoopBackOff', message: `the process ends with code ${ended.exitCode ?? 'unknown'}`, crash }
}

const problemOfPod = (pod: Pod): PodProblem[] => {
  if (pod.metadata.deletionTimestamp !== undefined) return []
  const scheduled = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled')
  if (scheduled?.status === 'False')
    return [
      {
        reason: 'Unschedulable',
        // The sentences behind the first are about what might give way, and differ from try to try.
        message: `no node takes the pod: ${(scheduled.message ?? '').split('. ')[0]}`,
      },
    ]
  return (pod.status?.containerStatuses ?? [])
    .filter(({ ready }) => !ready)
    .flatMap((status) => problemOfContainer(pod, status) ?? [])
}

/**
 * The first cause by which pods do not become ready, or undefined when they only take their time. The same states give
 * the same answer, in whatever order the pods come; it names no pod.
 */
export const problemAmong = (pods: readonly Pod[]): PodProblem | undefined => {
  const rank = ({ reason, message, crash }: PodProblem) =>
    `${String(POD_REASONS.indexOf(reason)).padStart(2, '0')} ${message} ${crash?.pod ?? ''}`
  return pods.flatMap(problemOfPod).sort((one, other) => (rank(one) < rank(other) ? -1 : 1))[0]
}
