import type { IncomingMessage } from 'node:http'
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
import type { Answer } from './ingest.ts'
import { RESULTS, resultOf } from './server.ts'

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5]

/** Why a nonce or its time kept a request from being published; `replayed` is the same request again. */
const REJECTIONS = ['reused', 'replayed', 'skewed'] as const
type Rejection = (typeof REJECTIONS)[number]

export type ProducerMetrics = {
  registry: Metrics
  answered: (answer: Answer, request: IncomingMessage, seconds: number, exemplar?: Exemplar) => void
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

export const createMetrics = (config: Labelled, now: () => number): ProducerMetrics => {
  const registry = createRegistry('producer', config)
  const requests = counter(registry, 'xray_producer_requests_total', 'Requests by their result', 'result', RESULTS)
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
  let skewSeconds = 0
  gauge(registry, 'xray_clock_skew_seconds', 'Our clock less that of the last device accepted', () => skewSeconds)
  return {
    registry,
    answered: (answer, request, seconds, exemplar) => {
      const result = resultOf(answer)
      requests.inc({ result })
      duration.observe({ result }, seconds, exemplar)
      const reason = rejectionOf(answer)
      if (reason !== undefined) rejections.inc({ reason })
      if (result === 'accepted') skewSeconds = Math.round(now() / 1000 - Number(request.headers['x-timestamp']))
    },
    published: (outcome) => messages.inc({ outcome }),
    bypassed: () => bypass.inc({ store: 'redis' }),
    database: createDatabaseMetrics(registry, { redis: ['get', 'set'] }),
  }
}
