import { createHash } from 'node:crypto'
import { type Figures, figuresOf } from './figures.ts'
import type { Pipeline } from './pipeline.ts'
import { levelsOf } from './service-levels.ts'

/** A panel before it has a place; `queries` are PromQL by their legends. */
type Draft = { title: string; description: string; unit: string; queries: Record<string, string>; stat?: true }

const WIDTH = 24
const DATASOURCE = { type: 'prometheus', uid: '$datasource' }
/** Grafana's own: at least four scrapes, whatever the zoom. */
const RATE = '$__rate_interval'

const quantile = (share: number, { of }: Figures, metric: string, matchers?: string, by = 'le'): string =>
  `histogram_quantile(${share}, sum by (${by}) (rate(${of(`${metric}_bucket`, matchers)}[${RATE}])))`

const header = (figures: Figures): Draft[] => {
  const { names, messages, of, rate } = figures
  const stat = (title: string, description: string, unit: string, query: string): Draft => ({
    title,
    description,
    unit,
    queries: { [title]: query },
    stat: true,
  })
  return [
    stat(
      'Taken now',
      'Recordings answered with 202',
      'reqps',
      rate('xray_producer_messages_total', RATE, 'outcome="confirmed"'),
    ),
    stat('Stored now', 'Signals stored', 'ops', rate('xray_signals_messages_total', RATE, 'outcome="stored"')),
    stat('Waiting now', 'Messages in the main queue that no pod has yet', 'short', messages([names.queue], 'ready')),
    stat(
      'Signals pods',
      'Pods that tell metrics',
      'short',
      `count(${of('xray_build_info', 'component="signals"')}) or vector(0)`,
    ),
    stat(
      'Dead letters in queues',
      'Until they are archived',
      'short',
      messages([names.deadLetterQueue, names.parkedQueue]),
    ),
    stat('Unrouted messages', 'Anything here is an alarm', 'short', messages([names.unrouted])),
  ]
}

const graphs = (figures: Figures): Draft[] => {
  const { names, of, rate, messages } = figures
  return [
    {
      title: 'Messages in and out',
      description: 'Confirmed by the broker, and ended by what became of them; the difference waits in the queue.',
      unit: 'ops',
      queries: {
        confirmed: rate('xray_producer_messages_total', RATE, 'outcome="confirmed"'),
        '{{outcome}}': `sum by (outcome) (rate(${of('xray_signals_messages_total')}[${RATE}]))`,
      },
    },
    {
      title: 'Backlog and pods',
      description: 'Messages in the main queue and on the retry ladder, and the pods that work on them.',
      unit: 'short',
      queries: {
        ready: messages([names.queue], 'ready'),
        'on the ladder': messages(names.retryQueues),
        'signals pods': `count(${of('xray_build_info', 'component="signals"')}) or vector(0)`,
      },
    },
    {
      title: 'From receipt to store',
      description: 'Of stored messages; retries included.',
      unit: 's',
      queries: Object.fromEntries(
        [0.5, 0.95, 0.99].map((share) => [
          `p${share * 100}`,
          quantile(share, figures, 'xray_signals_e2e_latency_seconds', 'outcome="stored"'),
        ]),
      ),
    },
    {
      title: 'Where the time goes',
      description: 'p95: the wait in the queue, and each stage of a batch.',
      unit: 's',
      queries: {
        queue: quantile(0.95, figures, 'xray_queue_wait_seconds'),
        '{{stage}}': quantile(0.95, figures, 'xray_signals_stage_duration_seconds', undefined, 'le, stage'),
      },
    },
    {
      title: 'Answers to devices',
      description: 'Recordings by their result.',
      unit: 'reqps',
      queries: { '{{result}}': `sum by (result) (rate(${of('xray_producer_requests_total')}[${RATE}]))` },
    },
    {
      title: 'Failures and dead letters',
      description: 'Attempts that failed by their stage, and recordings that became dead letters by their reason.',
      unit: 'ops',
      queries: {
        'failed: {{stage}}': `sum by (stage) (rate(${of('xray_signals_failures_total')}[${RATE}]))`,
        'dead: {{reason}}': `sum by (reason) (rate(${of('xray_dlq_archived_total')}[${RATE}]))`,
      },
    },
    {
      title: 'Answers to readers',
      description: 'p99 of the API by its routes.',
      unit: 's',
      queries: { '{{route}}': quantile(0.99, figures, 'xray_http_request_duration_seconds', undefined, 'le, route') },
    },
    {
      title: 'Databases by operation',
      description: 'p95 of what is asked of MongoDB, GridFS and Redis; of batches as a whole.',
      unit: 's',
      queries: {
        '{{db}} {{operation}}': quantile(
          0.95,
          figures,
          'xray_db_operation_duration_seconds',
          undefined,
          'le, db, operation',
        ),
      },
    },
    {
      title: 'Parts of the error budgets',
      description:
        'What is bad of all, by service level. Allowed: delivery 0.1 %, processing 0.2 %, latency 1 %, API 0.1 %.',
      unit: 'percentunit',
      queries: Object.fromEntries(
        levelsOf(figures).map((level) => [level.name, `(${level.bad(RATE)} or vector(0)) / (${level.all(RATE)} > 0)`]),
      ),
    },
    {
      title: 'Memory of the pods',
      description: 'Resident memory, the most of any pod of a component.',
      unit: 'bytes',
      queries: { '{{component}}': `max by (component) (${of('process_resident_memory_bytes')})` },
    },
  ]
}

const placed = (draft: Draft, id: number, at: { x: number; y: number; w: number; h: number }) => ({
  id,
  title: draft.title,
  description: draft.description,
  type: draft.stat ? 'stat' : 'timeseries',
  datasource: DATASOURCE,
  gridPos: at,
  fieldConfig: { defaults: { unit: draft.unit, min: 0 }, overrides: [] },
  targets: Object.entries(draft.queries).map(([legendFormat, expr], index) => ({
    refId: String.fromCharCode(65 + index),
    datasource: DATASOURCE,
    expr,
    legendFormat,
    exemplar: draft.unit === 's',
  })),
})

/** Grafana's dashboard of one pipeline. */
export const dashboardOf = (pipeline: Pipeline) => {
  const { name, namespace = '' } = pipeline.metadata
  const figures = figuresOf(pipeline)
  const [stats, rest] = [header(figures), graphs(figures)]
  return {
    uid: `xray-${createHash('sha256').update(`${namespace}/${name}`).digest('hex').slice(0, 16)}`,
    title: `XRay pipeline ${namespace}/${name}`,
    tags: ['xrayiot'],
    schemaVersion: 41,
    editable: false,
    refresh: '30s',
    time: { from: 'now-1h', to: 'now' },
    templating: { list: [{ name: 'datasource', type: 'datasource', query: 'prometheus', label: 'Prometheus' }] },
    panels: [
      ...stats.map((draft, index) => placed(draft, index + 1, { x: index * 4, y: 0, w: 4, h: 4 })),
      ...rest.map((draft, index) =>
        placed(draft, stats.length + index + 1, {
          x: (index % 2) * (WIDTH / 2),
          y: 4 + Math.floor(index / 2) * 8,
          w: WIDTH / 2,
          h: 8,
        }),
      ),
    ],
  }
}
