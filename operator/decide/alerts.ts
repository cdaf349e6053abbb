import { type Figures, figuresOf } from './figures.ts'
import { loadRecords } from './load-records.ts'
import type { Pipeline } from './pipeline.ts'
import { BURNS, levelsOf, recordOf, WINDOWS } from './service-levels.ts'

/** Where the pages for those who are woken up are; each has the name of its alert. */
const RUNBOOKS = 'https://github.com/xrayiot/xrayiot/blob/main/docs/runbooks/alerts'

type Record = { record: string; expr: string; labels: { [label: string]: string } }
export type Alert = {
  alert: string
  expr: string
  for: string
  labels: { severity: 'critical' | 'warning'; [label: string]: string }
  annotations: { summary: string; description: string; runbook_url: string }
}
export type Group = { name: string; rules: (Record | Alert)[] }

type Draft = Pick<Alert, 'alert' | 'expr' | 'for'> & {
  severity: 'critical' | 'warning'
  summary: string
  description: string
  level?: string
  window?: string
}

/** What is wrong with the pipeline as a whole; figures that are missing fire nothing but the first. */
const symptoms = (pipeline: Pipeline, { names, of, rate, messages }: Figures): Draft[] => {
  const { scaling } = pipeline.spec.signals
  const backlog = messages([names.queue], 'ready')
  const ended = (window: string) =>
    rate('xray_signals_messages_total', window, 'outcome=~"stored|duplicate|dead_lettered"')
  const inQueues = of('xray_queue_messages', `queue!="${names.unrouted}"`)
  return [
    {
      alert: 'XRayServiceMissing',
      expr: `absent(${of('xray_build_info', 'component="producer"')}) or absent(${of('xray_build_info', 'component="api"')})`,
      for: '5m',
      severity: 'critical',
      summary: 'The producer or the API tells no metrics.',
      description: 'No pod of {{ $labels.component }} has been scraped for 5 minutes.',
    },
    {
      alert: 'XRayQueueNotConsumed',
      expr: `${backlog} > 0 and (${ended('10m')} or vector(0)) == 0`,
      for: '10m',
      severity: 'critical',
      summary: 'Messages wait and none is processed.',
      description: '{{ $value | humanize }} messages wait, and signals has ended none for 10 minutes.',
    },
    {
      alert: 'XRayBacklog',
      expr: `${backlog} / (${ended('5m')} > 0) > 300`,
      for: '15m',
      severity: 'warning',
      summary: 'The backlog takes more than five minutes to work off.',
      description: 'At the pace of now the messages that wait are {{ $value | humanizeDuration }} of work.',
    },
    ...(scaling.provider === 'None'
      ? []
      : [
          {
            alert: 'XRayScaledToTheMost',
            expr: `count(${of('xray_build_info', 'component="signals"')}) >= ${scaling.maxReplicaCount} and ${backlog} > 0`,
            for: '15m',
            severity: 'warning' as const,
            summary: 'As many signals pods run as may, and messages still wait.',
            description: `{{ $value }} signals pods run, the most are ${scaling.maxReplicaCount} (maxReplicaCount).`,
          },
        ]),
    {
      alert: 'XRayUnroutedMessages',
      expr: `${messages([names.unrouted])} > 0`,
      for: '1m',
      severity: 'critical',
      summary: 'Messages were published that no queue takes.',
      description: `{{ $value | humanize }} messages stand in ${names.unrouted}; they are safe there, and processed by nobody.`,
    },
    {
      alert: 'XRayDeadLetters',
      expr: `sum by (reason) (increase(${of('xray_dlq_archived_total')}[15m])) > 0`,
      for: '1m',
      severity: 'warning',
      summary: 'There are new dead letters.',
      description: '{{ $value | humanize }} recordings became dead letters in 15 minutes: {{ $labels.reason }}.',
    },
    {
      alert: 'XRayDevicesTurnedAway',
      expr: `${rate('xray_producer_requests_total', '5m', 'result="unavailable"')} / (${rate('xray_producer_requests_total', '5m')} > 0) > 0.05`,
      for: '5m',
      severity: 'critical',
      summary: 'Devices are told to come later.',
      description: '{{ $value | humanizePercentage }} of all recordings are answered with 503.',
    },
    {
      alert: 'XRayMessagesUnaccounted',
      expr: `sum(increase(${of('xray_producer_messages_total', 'outcome="confirmed"')}[30m])) - sum(increase(${of('xray_signals_messages_total', 'outcome=~"stored|duplicate|dead_lettered"')}[30m])) - sum(delta(${inQueues}[30m])) > 10 + 0.01 * sum(increase(${of('xray_producer_messages_total', 'outcome="confirmed"')}[30m]))`,
      for: '15m',
      severity: 'warning',
      summary: 'More recordings were taken than have ended or wait.',
      description:
        '{{ $value | humanize }} recordings of the last 30 minutes are neither stored, dead letters, nor in a queue.',
    },
    {
      alert: 'XRayCacheBypassed',
      expr: `(${rate('xray_nonce_bypass_total', '5m')} or vector(0)) + (${rate('xray_idempotency_bypass_total', '5m')} or vector(0)) > 0`,
      for: '10m',
      severity: 'warning',
      summary: 'Redis does not answer; nothing is lost, but more work is done.',
      description: 'Redis is passed over {{ $value | humanize }} times a second.',
    },
  ]
}

const burns = (figures: Figures): Draft[] =>
  levelsOf(figures).flatMap((level) =>
    BURNS.map(({ severity, long, short, factor, for: lasting }) => ({
      alert: 'XRayErrorBudgetBurn',
      expr: [long, short]
        .map((window) => `${recordOf(level, window)}${figures.of('')} > ${factor} * ${level.budget}`)
        .join(' and '),
      for: lasting,
      severity,
      summary: `Too many ${level.what}.`,
      description: `{{ $value | humanizePercentage }} over ${long}; ${level.budget * 100} % of 30 days are allowed, and this is more than ${factor} times that pace.`,
      level: level.name,
      window: long,
    })),
  )

/** The rules of a pipeline's PrometheusRule: the service levels and the load, recorded, and the alerts. */
export const rulesOf = (pipeline: Pipeline): Group[] => {
  const { name, namespace = '' } = pipeline.metadata
  const labels = { pipeline: name, pipeline_namespace: namespace }
  const figures = figuresOf(pipeline)
  const alert = ({ severity, summary, description, alert, expr, for: lasting, ...more }: Draft): Alert => ({
    alert,
    expr,
    for: lasting,
    labels: { severity, ...labels, ...more },
    annotations: { summary, description, runbook_url: `${RUNBOOKS}/${alert}.md` },
  })
  return [
    {
      name: 'xray-levels.rules',
      rules: levelsOf(figures).flatMap((level) =>
        WINDOWS.map((window) => ({
          record: recordOf(level, window),
          // Without a failure there may be no series to count, and without anything to count there is no ratio.
          expr: `(${level.bad(window)} or vector(0)) / (${level.all(window)} > 0)`,
          labels,
        })),
      ),
    },
    { name: 'xray-load.rules', rules: loadRecords(figures).map((record) => ({ ...record, labels })) },
    { name: 'xray-levels.alerts', rules: burns(figures).map(alert) },
    { name: 'xray-pipeline.alerts', rules: symptoms(pipeline, figures).map(alert) },
  ]
}
