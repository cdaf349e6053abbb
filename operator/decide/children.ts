import { createHash } from 'node:crypto'
import type { KubeObject } from '#kit/client.ts'
import { controllerReference } from '#kit/owners.ts'
import { deployment, type Release } from './deployment.ts'
import { settingsOf } from './environment.ts'
import { dashboardMap, metricsService } from './monitors.ts'
import { COMPONENTS, type Component, labelsOf, type Pipeline, selectorOf } from './pipeline.ts'
import type { ChildKind } from './resources.ts'
import type { SecretVersions } from './secret-versions.ts'

/** How many pods each component is to have; undefined leaves it to whoever set the number. */
export type Replicas = Record<Component, number | undefined>

export type Child = { kind: ChildKind; component: Component; intent: KubeObject }

const metadataOf = ({ metadata }: Pipeline, component: Component, name = `${metadata.name}-${component}`) => ({
  name,
  namespace: metadata.namespace ?? '',
  labels: labelsOf(metadata.name, component),
})

const serviceAccount = (pipeline: Pipeline, component: Component): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ServiceAccount',
  metadata: metadataOf(pipeline, component),
  automountServiceAccountToken: false,
})

/** Immutable and named by its content: a change is a new object, and the pods that use it roll. */
const configMap = (pipeline: Pipeline, component: Component): KubeObject => {
  const data = settingsOf(pipeline, component)
  const hash = createHash('sha256')
    .update(JSON.stringify(Object.entries(data).sort()))
    .digest('hex')
    .slice(0, 10)
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: metadataOf(pipeline, component, `${pipeline.metadata.name}-${component}-${hash}`),
    immutable: true,
    data,
  }
}

const service = (pipeline: Pipeline, component: 'producer' | 'api'): KubeObject => {
  const { type, nodePort } = pipeline.spec[component].service
  const port = {
    name: 'http',
    port: 8080,
    targetPort: 'http',
    protocol: 'TCP',
    ...(nodePort !== undefined && { nodePort }),
  }
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: metadataOf(pipeline, component),
    spec: { type, selector: selectorOf(pipeline.metadata.name, component), ports: [port] },
  }
}

/** Anyone may reach the HTTP and metrics ports, nobody another; what a pod reaches is its own business. */
const networkPolicy = (pipeline: Pipeline, component: Component): KubeObject => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: metadataOf(pipeline, component),
  spec: {
    podSelector: { matchLabels: selectorOf(pipeline.metadata.name, component) },
    policyTypes: ['Ingress'],
    ingress: [
      {
        ports: [
          ...(component === 'signals' ? [] : [{ port: 'http', protocol: 'TCP' }]),
          { port: 'metrics', protocol: 'TCP' },
        ],
      },
    ],
  },
})

const disruptionBudget = (pipeline: Pipeline, component: Component): KubeObject => ({
  apiVersion: 'policy/v1',
  kind: 'PodDisruptionBudget',
  metadata: metadataOf(pipeline, component),
  spec: {
    maxUnavailable: 1,
    unhealthyPodEvictionPolicy: 'AlwaysAllow',
    selector: { matchLabels: selectorOf(pipeline.metadata.name, component) },
  },
})

/** What of `spec.monitoring` every cluster has the kinds for. */
const monitoringOf = (pipeline: Pipeline): Child[] => {
  const { serviceMonitor, dashboard } = pipeline.spec.monitoring
  return [
    ...(serviceMonitor
      ? [{ kind: 'service' as const, component: 'signals' as const, intent: metricsService(pipeline) }]
      : []),
    ...(dashboard
      ? [{ kind: 'configMap' as const, component: 'signals' as const, intent: dashboardMap(pipeline) }]
      : []),
  ]
}

/** An object that goes with its pipeline. */
export const owned = (pipeline: Pipeline, intent: KubeObject): KubeObject => ({
  ...intent,
  metadata: { ...intent.metadata, ownerReferences: [controllerReference(pipeline)] },
})

/**
 * Everything that a pipeline owns, in the order in which it is applied: accounts and settings before the pods that
 * hang without them, Deployments last.
 */
export const childrenOf = (
  pipeline: Pipeline,
  replicas: Replicas,
  release: Release,
  secrets: SecretVersions,
): Child[] => {
  const perComponent = COMPONENTS.map((component) => ({ component, config: configMap(pipeline, component) }))
  const children: Child[] = [
    ...COMPONENTS.map((component) => ({
      kind: 'serviceAccount' as const,
      component,
      intent: serviceAccount(pipeline, component),
    })),
    ...perComponent.map(({ component, config }) => ({ kind: 'configMap' as const, component, intent: config })),
    ...(['producer', 'api'] as const).map((component) => ({
      kind: 'service' as const,
      component,
      intent: service(pipeline, component),
    })),
    ...COMPONENTS.map((component) => ({
      kind: 'networkPolicy' as const,
      component,
      intent: networkPolicy(pipeline, component),
    })),
    ...(['producer', 'api'] as const)
      .filter((component) => pipeline.spec[component].replicas > 1)
      .map((component) => ({
        kind: 'disruptionBudget' as const,
        component,
        intent: disruptionBudget(pipeline, component),
      })),
    ...monitoringOf(pipeline),
    ...perComponent.map(({ component, config }) => ({
      kind: 'deployment' as const,
      component,
      intent: deployment(pipeline, component, config.metadata.name, replicas[component], release, secrets),
    })),
  ]
  return children.map((child) => ({ ...child, intent: owned(pipeline, child.intent) }))
}

/**
 * What exists and is no longer wanted: only objects whose owner is this very pipeline, by uid. A settings object stays
 * while a Deployment's pods may still be rolling away from it.
 */
export const orphansAmong = (
  pipeline: Pipeline,
  live: readonly { kind: ChildKind; object: KubeObject }[],
  wanted: readonly Child[],
  settled: boolean,
) =>
  live.filter(({ kind, object }) => {
    const ours = object.metadata.ownerReferences?.some(({ uid }) => uid === pipeline.metadata.uid)
    const kept = wanted.some((child) => child.kind === kind && child.intent.metadata.name === object.metadata.name)
    return ours && !kept && (kind !== 'configMap' || settled)
  })
