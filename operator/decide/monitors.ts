import type { KubeObject } from '#kit/client.ts'
import type { Resource } from '#kit/resource.ts'
import { rulesOf } from './alerts.ts'
import { dashboardOf } from './dashboard.ts'
import { labelsOf, type Pipeline } from './pipeline.ts'

/** The kinds of the Prometheus operator's; a cluster may not have them. */
export const MONITORS = {
  serviceMonitor: { group: 'monitoring.coreos.com', version: 'v1', plural: 'servicemonitors', kind: 'ServiceMonitor' },
  prometheusRule: { group: 'monitoring.coreos.com', version: 'v1', plural: 'prometheusrules', kind: 'PrometheusRule' },
} as const satisfies Record<string, Resource>

export type MonitorKind = keyof typeof MONITORS

const SCRAPE_SECONDS = 15

const metadataOf = ({ metadata }: Pipeline, name = metadata.name) => ({
  name,
  namespace: metadata.namespace ?? '',
  labels: { ...labelsOf(metadata.name, 'signals'), 'app.kubernetes.io/component': 'monitoring' },
})

/** The pods of all components, by the one port that all have. Without an address of its own: each pod is scraped. */
export const metricsService = (pipeline: Pipeline): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: metadataOf(pipeline, `${pipeline.metadata.name}-metrics`),
  spec: {
    clusterIP: 'None',
    // A pod that is not ready tells why by its metrics.
    publishNotReadyAddresses: true,
    selector: { 'app.kubernetes.io/name': 'xrayiot', 'app.kubernetes.io/instance': pipeline.metadata.name },
    ports: [{ name: 'metrics', port: 9464, targetPort: 'metrics', protocol: 'TCP' }],
  },
})

/** Grafana's sidecar takes every ConfigMap with this label. */
export const dashboardMap = (pipeline: Pipeline): KubeObject => {
  const metadata = metadataOf(pipeline, `${pipeline.metadata.name}-dashboard`)
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { ...metadata, labels: { ...metadata.labels, grafana_dashboard: '1' } },
    data: { [`${metadata.namespace}-${pipeline.metadata.name}.json`]: JSON.stringify(dashboardOf(pipeline)) },
  }
}

const serviceMonitor = (pipeline: Pipeline): KubeObject => ({
  apiVersion: 'monitoring.coreos.com/v1',
  kind: 'ServiceMonitor',
  metadata: metadataOf(pipeline),
  spec: {
    jobLabel: 'app.kubernetes.io/name',
    selector: {
      matchLabels: {
        'app.kubernetes.io/instance': pipeline.metadata.name,
        'app.kubernetes.io/component': 'monitoring',
      },
    },
    endpoints: [{ port: 'metrics', interval: `${SCRAPE_SECONDS}s`, scrapeTimeout: `${SCRAPE_SECONDS - 5}s` }],
  },
})

const prometheusRule = (pipeline: Pipeline): KubeObject => ({
  apiVersion: 'monitoring.coreos.com/v1',
  kind: 'PrometheusRule',
  metadata: metadataOf(pipeline),
  spec: { groups: rulesOf(pipeline) },
})

const BUILDERS: Record<MonitorKind, (pipeline: Pipeline) => KubeObject> = { serviceMonitor, prometheusRule }

/** What of the Prometheus operator's kinds a pipeline asks for. */
export const monitorsOf = (pipeline: Pipeline): { kind: MonitorKind; intent: KubeObject }[] =>
  (Object.keys(MONITORS) as MonitorKind[])
    .filter((kind) => pipeline.spec.monitoring[kind])
    .map((kind) => ({ kind, intent: BUILDERS[kind](pipeline) }))
