import type { Registry } from 'prom-client'
import { counter, createRegistry, histogram } from '#runtime/metrics.ts'
import { OUTCOMES, type Outcome } from '#runtime/publisher.ts'
import { RESULTS, type Result } from './server.ts'

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5]

export type ProducerMetrics = {
  registry: Registry
  answered: (result: Result, seconds: number) => void
  published: (outcome: Outcome) => void
  bypassed: () => void
}

export const createMetrics = (version: string): ProducerMetrics => {
  const registry = createRegistry('producer', version)
  const requests = counter(registry, 'xray_producer_requests_total', 'Requests by their result', 'result', RESULTS)
  const messages = counter(
    registry,
    'xray_producer_messages_total',
    'Publications by their outcome',
    'outcome',
    OUTCOMES,
  )
  const bypass = counter(registry, 'xray_nonce_bypass_total', 'Times that Redis could not be asked', 'store', ['redis'])
  const duration = histogram(
    registry,
    'xray_producer_request_duration_seconds',
    'From headers to answer',
    ['result'],
    SECONDS,
  )
  return {
    registry,
    answered: (result, seconds) => {
      requests.inc({ result })
      duration.observe({ result }, seconds)
    },
    published: (outcome) => messages.inc({ outcome }),
    bypassed: () => bypass.inc({ store: 'redis' }),
  }
}
