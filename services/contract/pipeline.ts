import { SCALING_DEFAULTS, type Scaling } from './scaling/block.ts'
import type { TopologySpec } from './topology.ts'

/** Names of the resource that declares a pipeline. */
export const GROUP = 'xrayiot.dev'
export const VERSION = 'v1alpha1'
export const KIND = 'XRayPipeline'
export const PLURAL = 'xraypipelines'

export type SecretRef = { name: string }
/** Quantities as in a pod: `100m`, `256Mi`, or a bare number. */
type Quantities = Record<string, string | number>
export type Resources = { requests?: Quantities; limits?: Quantities }
export type ServiceSpec = { type: 'ClusterIP' | 'NodePort' | 'LoadBalancer'; nodePort?: number }

/** What may be added to the pods, to all or to one component's. */
export type PodTemplate = {
  labels?: Record<string, string>
  annotations?: Record<string, string>
  nodeSelector?: Record<string, string>
  tolerations?: Record<string, unknown>[]
  affinity?: Record<string, unknown>
  topologySpreadConstraints?: Record<string, unknown>[]
  priorityClassName?: string
  imagePullSecrets?: { name: string }[]
  env?: { name: string; value: string }[]
}

/** What is made for the Prometheus operator and for Grafana. */
export type Monitoring = { serviceMonitor: boolean; prometheusRule: boolean; dashboard: boolean }

/** `spec` of an XRayPipeline with every default filled in, as the API server hands it out. */
export type PipelineSpec = {
  paused: boolean
  deletionPolicy: 'Retain' | 'Delete'
  broker: {
    secretRef: SecretRef
    vhost: string
    exchange: string
    queue: string
    deadLetterExchange: string
    maxLengthBytes: string
  }
  store: { secretRef: SecretRef; database: string; retentionDays: number }
  cache: { secretRef: SecretRef }
  keys: { secretRef?: SecretRef }
  retry: { maxRetries: number; delaysMs: number[]; jitterMs: number }
  producer: {
    replicas: number
    resources: Resources
    service: ServiceSpec
    rateLimit: { perDevicePerMinute: number }
    podTemplate?: PodTemplate
  }
  signals: {
    replicas?: number
    prefetch: number
    batch: { size: number; lingerMs: number }
    resources: Resources
    scaling: Scaling
    podTemplate?: PodTemplate
  }
  api: { replicas: number; resources: Resources; service: ServiceSpec; podTemplate?: PodTemplate }
  image: string
  podTemplate?: PodTemplate
  monitoring: Monitoring
}

/**
 * The defaults. The CRD's schema is generated with them, so that the API server fills them in and everybody, a
 * `kubectl get -o yaml` included, sees the same.
 */
export const DEFAULTS: PipelineSpec = {
  paused: false,
  deletionPolicy: 'Retain',
  broker: {
    secretRef: { name: 'xray-rabbitmq' },
    vhost: '/',
    exchange: 'iot.xray',
    queue: 'xray.raw.q',
    deadLetterExchange: 'iot.dlx',
    maxLengthBytes: '4Gi',
  },
  store: { secretRef: { name: 'xray-mongodb' }, database: 'xray', retentionDays: 30 },
  cache: { secretRef: { name: 'xray-redis' } },
  keys: {},
  retry: { maxRetries: 3, delaysMs: [1000, 2000, 4000, 8000], jitterMs: 1000 },
  producer: { replicas: 2, resources: {}, service: { type: 'ClusterIP' }, rateLimit: { perDevicePerMinute: 600 } },
  signals: {
    prefetch: 400,
    batch: { size: 200, lingerMs: 50 },
    resources: {},
    scaling: SCALING_DEFAULTS,
  },
  api: { replicas: 2, resources: {}, service: { type: 'ClusterIP' } },
  image: '',
  monitoring: { serviceMonitor: false, prometheusRule: false, dashboard: false },
}

/** A pipeline's keys Secret, named after it unless the spec names one. */
export const keysSecretName = (pipelineName: string, spec: PipelineSpec): string =>
  spec.keys.secretRef?.name ?? `${pipelineName}-keys`

const BINARY_SUFFIXES: Record<string, number> = { '': 1, Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40 }

/**
 * The bytes of a quantity such as `4Gi` (Kubernetes' binary suffixes, whole numbers).
 * @throws RangeError when the text is no such quantity; the CRD's schema lets none through
 */
export const bytesOf = (quantity: string): number => {
  const [, digits, suffix = ''] = /^([0-9]+)(Ki|Mi|Gi|Ti)?$/.exec(quantity) ?? []
  if (digits === undefined) throw new RangeError(`expected bytes such as 4Gi, got "${quantity}"`)
  return Number(digits) * (BINARY_SUFFIXES[suffix] as number)
}

/** What of a spec shapes the topology on the broker. */
export const topologySpecOf = ({ broker, retry }: Pick<PipelineSpec, 'broker' | 'retry'>): TopologySpec => ({
  exchange: broker.exchange,
  queue: broker.queue,
  deadLetterExchange: broker.deadLetterExchange,
  maxLengthBytes: bytesOf(broker.maxLengthBytes),
  delaysMs: retry.delaysMs,
  jitterMs: retry.jitterMs,
})
