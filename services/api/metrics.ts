import { Gauge } from 'prom-client'
import { createDatabaseMetrics, type Observe } from '#runtime/database-metrics.ts'
import { createRegistry, type Exemplar, gauge, histogram, type Labelled, type Metrics } from '#runtime/metrics.ts'
import type { StoreSize } from '#runtime/store-size.ts'

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2.5, 5, 10]

export type ApiMetrics = {
  registry: Metrics
  asked: () => void
  /** @param route its template, never the address: ids would make a series of each */
  answered: (route: string, method: string, status: number, seconds: number, exemplar?: Exemplar) => void
  measured: (sizes: StoreSize[]) => void
  database: Observe
}

export const createMetrics = (config: Labelled): ApiMetrics => {
  const registry = createRegistry('api', config)
  const duration = histogram(
    registry,
    'xray_http_request_duration_seconds',
    'From request to answer',
    ['method', 'route', 'status_code'],
    SECONDS,
  )
  let inFlight = 0
  gauge(registry, 'xray_http_requests_in_flight', 'Requests that are being answered', () => inFlight)
  const bytes = new Gauge({
    name: 'xray_storage_bytes',
    help: 'What is stored, in bytes; measured every minute where the store can say',
    labelNames: ['store', 'kind'],
    registers: [registry],
  })
  const objects = new Gauge({
    name: 'xray_storage_objects',
    help: 'What is stored, in documents, files or keys; measured every minute where the store can say',
    labelNames: ['store'],
    registers: [registry],
  })
  return {
    registry,
    asked: () => {
      inFlight++
    },
    answered: (route, method, status, seconds, exemplar) => {
      inFlight--
      duration.observe({ route, method, status_code: String(status) }, seconds, exemplar)
    },
    measured: (sizes) => {
      for (const { store, objects: count, ...kinds } of sizes) {
        objects.set({ store }, count)
        for (const [kind, size] of Object.entries(kinds)) bytes.set({ store, kind }, size)
      }
    },
    database: createDatabaseMetrics(registry, { mongodb: ['find', 'count', 'aggregate', 'ping'], gridfs: ['find'] }),
  }
}
