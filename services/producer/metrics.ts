import type { KeyState } from '#contract/device-registry.ts'
import { createDatabaseMetrics, type Observe } from '#runtime/database-metrics.ts'
import {
  counter,
  createRegistry,
  type Exemplar,
  gauge,
  histogram,
  type Labelled,
  type Metrics,
} from '#runtime/metrics.ts'
import { OUTCOMES, type Outcome } from '#runtime/publisher.ts'
import type { Answer } from './answers.ts'
import { RESULTS, resultOf } from './server.ts'

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5]

/** Why a nonce or its time kept a request from being published; `replayed` is the same request again. */
const REJECTIONS = ['reused', 'replayed', 'skewed'] as const
type Rejection = (typeof REJECTIONS)[number]

export type ProducerMetrics = {
  registry: Metrics
  answered: (answer: Answer, seconds: number, exemplar?: Exemplar) => void
  /** @param skewSeconds our clock less the sender's */
  verified: (state: KeyState, skewSeconds: number) => void
  published: (outcome: Outcome) => void
  bypassed: () => void
  database: Observe
}

/** What an answer says of the request's nonce or time, if anything. */
export const rejectionOf = ({ body, headers }: Answer): Rejection | undefined => {
  if (headers['idempotency-replayed'] !== undefined) return 'replayed'
  if (!('code' in body)) return undefined
  return body.code === 'nonce_reuse' ? 'reused' : body.code === 'clock_skew' ? 'skewed' : undefined
}

/** @param registryAgeSeconds seconds since the device registry was last read */
export const createMetrics = (config: Labelled, registryAgeSeconds: () => number): ProducerMetrics => {
  const registry = createRegistry('producer', config)
  const requests = counter(
    registry,
    'xray_producer_requests_total',
    'Recordings, sent alone or in a batch, by their result',
    'result',
    RESULTS,
  )
  const messages = counter(
    registry,
    'xray_producer_messages_total',
    'Publications by their outcome',
    'outcome',
    OUTCOMES,
  )
  const bypass = counter(registry, 'xray_nonce_bypass_total', 'Times that Redis could not be asked', 'store', ['redis'])
  const rejections = counter(
    registry,
    'xray_auth_nonce_rejections_total',
    'Requests not published for their nonce or time',
    'reason',
    REJECTIONS,
  )
  const duration = histogram(
    registry,
    'xray_producer_request_duration_seconds',
    'From headers to answer',
    ['result'],
    SECONDS,
    RESULTS.map((result) => ({ result })),
  )
  const keys = counter(registry, 'xray_device_key_used_total', 'Requests verified, by the state of the key', 'state', [
    'active',
    'retiring',
  ])
  gauge(
    registry,
    'xray_device_registry_age_seconds',
    'Time since the device registry was last read',
    registryAgeSeconds,
  )
  let lastSkewSeconds = 0
  gauge(registry, 'xray_clock_skew_seconds', 'Our clock less that of the last device verified', () => lastSkewSeconds)
  return {
    registry,
    answered: (answer, seconds, exemplar) => {
      const result = resultOf(answer)
      requests.inc({ result })
      duration.observe({ result }, seconds, exemplar)
      const reason = rejectionOf(answer)
      if (reason !== undefined) rejections.inc({ reason })
    },
    verified: (state, skewSeconds) => {
      keys.inc({ state })
      lastSkewSeconds = Math.round(skewSeconds)
    },
    published: (outcome) => messages.inc({ outcome }),
    bypassed: () => bypass.inc({ store: 'redis' }),
    database: createDatabaseMetrics(registry, { redis: ['get', 'set'] }),
  }
}
