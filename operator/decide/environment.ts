import type { PipelineSpec } from '#contract/pipeline.ts'
import type { Component, Pipeline } from './pipeline.ts'

const broker = ({ broker, retry }: PipelineSpec): Record<string, string> => ({
  AMQP_VHOST: broker.vhost,
  AMQP_EXCHANGE: broker.exchange,
  AMQP_QUEUE: broker.queue,
  AMQP_DEAD_LETTER_EXCHANGE: broker.deadLetterExchange,
  MAX_RETRIES: String(retry.maxRetries),
  RETRY_DELAYS_MS: retry.delaysMs.join(','),
  RETRY_JITTER_MS: String(retry.jitterMs),
})

const OWN: Record<Component, (spec: PipelineSpec) => Record<string, string>> = {
  producer: (spec) => ({
    ...broker(spec),
    HTTP_PORT: '8080',
    MONGODB_DATABASE: spec.store.database,
    RATE_LIMIT_PER_DEVICE_PER_MINUTE: String(spec.producer.rateLimit.perDevicePerMinute),
  }),
  signals: (spec) => ({
    ...broker(spec),
    MONGODB_DATABASE: spec.store.database,
    RETENTION_DAYS: String(spec.store.retentionDays),
    PREFETCH: String(spec.signals.prefetch),
    BATCH_SIZE: String(spec.signals.batch.size),
    BATCH_LINGER_MS: String(spec.signals.batch.lingerMs),
  }),
  api: (spec) => ({
    HTTP_PORT: '8080',
    MONGODB_DATABASE: spec.store.database,
    AMQP_VHOST: spec.broker.vhost,
    AMQP_EXCHANGE: spec.broker.exchange,
    AMQP_QUEUE: spec.broker.queue,
    AMQP_DEAD_LETTER_EXCHANGE: spec.broker.deadLetterExchange,
    RETRY_DELAYS_MS: spec.retry.delaysMs.join(','),
  }),
}

/** Where each process serves its probes and metrics. */
export const METRICS_PORT = 9464

/** The settings of a component that are no secret. */
export const settingsOf = ({ metadata, spec }: Pipeline, component: Component): Record<string, string> => ({
  PIPELINE_NAME: metadata.name,
  PIPELINE_NAMESPACE: metadata.namespace ?? '',
  LOG_LEVEL: 'info',
  METRICS_PORT: String(METRICS_PORT),
  ...OWN[component](spec),
})

/** The ids of keys that a pipeline's Secret may hold: a new one needs no change of a Deployment, so no roll-out. */
const NUMBERS = [1, 2, 3, 4, 5, 6, 7, 8]
const DEVICE_MASTERS = NUMBERS.map((number) => `device-master-k${number}`)
const MESSAGE_KEYS = NUMBERS.map((number) => `message-p${number}`)

/**
 * The variables that come from connection Secrets, and the keys that a component may read. The API seals imported keys
 * with a device master; only producers and signals know message keys.
 */
export const SECRETS: Record<Component, { uris: ('AMQP_URI' | 'MONGODB_URI' | 'REDIS_URI')[]; keys: string[] }> = {
  producer: { uris: ['AMQP_URI', 'MONGODB_URI', 'REDIS_URI'], keys: [...DEVICE_MASTERS, ...MESSAGE_KEYS] },
  signals: { uris: ['AMQP_URI', 'MONGODB_URI', 'REDIS_URI'], keys: MESSAGE_KEYS },
  api: { uris: ['AMQP_URI', 'MONGODB_URI', 'REDIS_URI'], keys: ['api-admin-token', ...DEVICE_MASTERS] },
}

/** The Secret that holds a connection. */
export const secretOf = (spec: PipelineSpec, uri: 'AMQP_URI' | 'MONGODB_URI' | 'REDIS_URI'): string =>
  ({ AMQP_URI: spec.broker, MONGODB_URI: spec.store, REDIS_URI: spec.cache })[uri].secretRef.name
