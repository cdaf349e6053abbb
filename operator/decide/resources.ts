import type { Resource } from '#kit/resource.ts'

/** The kinds of a pipeline's children, in the order in which they are applied. */
export const RESOURCES = {
  serviceAccount: { group: '', version: 'v1', plural: 'serviceaccounts', kind: 'ServiceAccount' },
  configMap: { group: '', version: 'v1', plural: 'configmaps', kind: 'ConfigMap' },
  service: { group: '', version: 'v1', plural: 'services', kind: 'Service' },
  networkPolicy: { group: 'networking.k8s.io', version: 'v1', plural: 'networkpolicies', kind: 'NetworkPolicy' },
  disruptionBudget: { group: 'policy', version: 'v1', plural: 'poddisruptionbudgets', kind: 'PodDisruptionBudget' },
  deployment: { group: 'apps', version: 'v1', plural: 'deployments', kind: 'Deployment' },
} as const satisfies Record<string, Resource>

export type ChildKind = keyof typeof RESOURCES
