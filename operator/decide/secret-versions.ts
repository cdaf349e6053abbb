import type { KubeObject } from '#kit/client.ts'
import { COMPONENTS, type Component } from './pipeline.ts'

/** On a pod template: what of the connection Secrets its pods were started with. */
export const CONNECTIONS = 'xrayiot.dev/connections'
/** On a pod template: the version of the keys Secret that its pods were started with. */
export const KEYS = 'xrayiot.dev/keys'

/** The keys that a component's pods have: the Secret's name, and its version there. */
export type KeysMount = { secret: string; version: string }

/** What of a pipeline's Secrets its pods are started with; another value is a roll-out. */
export type SecretVersions = { connections: string; keys: Record<Component, KeysMount> }

type Deployed = {
  spec?: {
    replicas?: number
    template?: {
      metadata?: { annotations?: Record<string, string> }
      spec?: { volumes?: { name: string; secret?: { secretName?: string } }[] }
    }
  }
  status?: { observedGeneration?: number; replicas?: number; updatedReplicas?: number; readyReplicas?: number }
}

/** The keys that a Deployment's pods are started with; undefined when it is not there or says nothing of them. */
const mountOf = (deployment: KubeObject | undefined): KeysMount | undefined => {
  const template = (deployment as Deployed | undefined)?.spec?.template
  const secret = template?.spec?.volumes?.find(({ name }) => name === 'keys')?.secret?.secretName
  const version = template?.metadata?.annotations?.[KEYS]
  return secret === undefined || version === undefined ? undefined : { secret, version }
}

/**
 * Who verifies learns of a key before who signs with it: signals knows a message key before a producer does, and a
 * producer a device's master key before the API hands out keys of it.
 */
const ORDER: readonly Component[] = ['signals', 'producer', 'api']

/** The version of a keys Secret that the pods of a pipeline are started with; of several the newest, undefined of none. */
export const mountedVersion = (
  secret: string,
  live: (component: Component) => KubeObject | undefined,
): string | undefined =>
  ORDER.map((component) => mountOf(live(component))).find((mount) => mount?.secret === secret && mount.version !== '')
    ?.version

/** True when every pod of a Deployment is of its newest template, and ready. */
const hasRolledOut = (deployment: KubeObject): boolean => {
  const { spec, status } = deployment as Deployed
  const replicas = spec?.replicas ?? 1
  return (
    status?.observedGeneration === deployment.metadata.generation &&
    (status?.replicas ?? 0) === (status?.updatedReplicas ?? 0) &&
    (status?.readyReplicas ?? 0) >= replicas
  )
}

/**
 * The keys that each component's pods are to have. A component without pods takes those of now; another takes them once
 * all before it have rolled out with them, and stays with its own until then.
 * @param now the Secret and its version; undefined when the version cannot be told, which changes nothing
 */
export const decideKeys = (
  secret: string,
  version: string | undefined,
  live: (component: Component) => KubeObject | undefined,
): Record<Component, KeysMount> => {
  const mounts = new Map<Component, KeysMount>()
  let ready = true
  for (const component of ORDER) {
    const deployment = live(component)
    const mounted = mountOf(deployment)
    const wanted = { secret, version: version ?? (mounted?.secret === secret ? mounted.version : '') }
    mounts.set(component, ready || mounted === undefined ? wanted : mounted)
    ready &&=
      deployment === undefined ||
      (mounted?.secret === wanted.secret && mounted.version === wanted.version && hasRolledOut(deployment))
  }
  return Object.fromEntries(COMPONENTS.map((component) => [component, mounts.get(component) as KeysMount])) as Record<
    Component,
    KeysMount
  >
}
