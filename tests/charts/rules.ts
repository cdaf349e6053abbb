/** What of a rendered object the rules look at. */
export type Rendered = {
  kind: string
  metadata: { name: string; namespace?: string; labels?: Record<string, string>; annotations?: Record<string, string> }
  spec?: Record<string, unknown>
  type?: string
  stringData?: Record<string, string>
}

type SecurityContext = {
  runAsNonRoot?: boolean
  allowPrivilegeEscalation?: boolean
  readOnlyRootFilesystem?: boolean
  capabilities?: { drop?: string[] }
  seccompProfile?: { type?: string }
}
type Container = {
  name: string
  image: string
  restartPolicy?: string
  env?: { name: string }[]
  securityContext?: SecurityContext
  resources?: { requests?: Record<string, string>; limits?: Record<string, string> }
  readinessProbe?: object
  livenessProbe?: object
  startupProbe?: { periodSeconds?: number; failureThreshold?: number }
}
type PodSpec = {
  serviceAccountName?: string
  automountServiceAccountToken?: boolean
  securityContext?: SecurityContext
  containers: Container[]
  initContainers?: Container[]
  volumes?: { hostPath?: object }[]
  hostNetwork?: boolean
}

/** The pods of a rendered object. */
export const podOf = (object: Rendered): { spec: PodSpec; labels: Record<string, string> } | undefined => {
  const template = (
    object.spec as { template?: { spec: PodSpec; metadata: { labels: Record<string, string> } } } | undefined
  )?.template
  return template === undefined ? undefined : { spec: template.spec, labels: template.metadata.labels }
}

export type Rule = {
  name: string
  holds: (pod: { spec: PodSpec; labels: Record<string, string> }, all: Rendered[]) => boolean
}

const containersOf = ({ spec }: { spec: PodSpec }): Container[] => [...(spec.initContainers ?? []), ...spec.containers]
const served = ({ spec }: { spec: PodSpec }): Container[] => spec.containers

const selects = (policy: Rendered, labels: Record<string, string>): boolean => {
  const { matchLabels = {} } = (policy.spec as { podSelector: { matchLabels?: Record<string, string> } }).podSelector
  return Object.entries(matchLabels).every(([name, value]) => labels[name] === value)
}

/** Every pod of every chart keeps these; the operator alone may have a token. */
export const RULES: Rule[] = [
  { name: 'runs as no root, by the pod', holds: ({ spec }) => spec.securityContext?.runAsNonRoot === true },
  {
    name: 'keeps the default seccomp profile',
    holds: ({ spec }) => spec.securityContext?.seccompProfile?.type === 'RuntimeDefault',
  },
  {
    name: 'lets no container gain privileges',
    holds: (pod) =>
      containersOf(pod).every(({ securityContext }) => securityContext?.allowPrivilegeEscalation === false),
  },
  {
    name: 'drops every capability',
    holds: (pod) =>
      containersOf(pod).every(({ securityContext }) => securityContext?.capabilities?.drop?.includes('ALL')),
  },
  {
    name: 'has read-only root file systems',
    holds: (pod) => containersOf(pod).every(({ securityContext }) => securityContext?.readOnlyRootFilesystem === true),
  },
  {
    name: 'asks for CPU and memory and limits memory',
    holds: (pod) =>
      containersOf(pod).every(
        ({ resources }) =>
          resources?.requests?.cpu !== undefined &&
          resources.requests.memory !== undefined &&
          resources.limits?.memory !== undefined,
      ),
  },
  {
    name: 'says when it is ready',
    holds: (pod) => served(pod).every(({ readinessProbe }) => readinessProbe !== undefined),
  },
  {
    name: 'shares nothing with its node',
    holds: ({ spec }) =>
      spec.hostNetwork !== true && !(spec.volumes ?? []).some(({ hostPath }) => hostPath !== undefined),
  },
  { name: 'has a service account of its own', holds: ({ spec }) => spec.serviceAccountName !== undefined },
  {
    name: 'has no token unless it is the operator',
    holds: ({ spec, labels }) =>
      spec.automountServiceAccountToken === (labels['app.kubernetes.io/name'] === 'xray-operator'),
  },
  {
    name: 'names no variable twice',
    holds: (pod) => containersOf(pod).every(({ env = [] }) => new Set(env.map(({ name }) => name)).size === env.length),
  },
  {
    name: 'pins its images',
    holds: (pod) =>
      containersOf(pod).every(
        ({ image }) => /(:[^:/]+|@sha256:[0-9a-f]{64})$/.test(image) && !image.endsWith(':latest'),
      ),
  },
  {
    name: 'is covered by a network policy',
    holds: ({ labels }, all) => all.some((object) => object.kind === 'NetworkPolicy' && selects(object, labels)),
  },
]
