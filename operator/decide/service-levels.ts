import type { DeadLetterReason } from '#contract/dead-letter.ts'
import type { Figures } from './figures.ts'

/** What a service level counts: `bad` of `all`, each a rate over a window such as `5m`. */
export type Level = {
  name: string
  /** The part that may be bad, of 30 days. */
  budget: number
  what: string
  bad: (window: string) => string
  all: (window: string) => string
}

/** Faults of whoever sent the message: as little a failure of ours as a 4xx is. */
const OF_THE_SENDER: DeadLetterReason[] = [
  'schema_invalid',
  'body_too_large',
  'unsupported_version',
  'auth_bad_signature',
  'auth_unknown_key',
]

/** The four service levels: taken, processed, in time, and read. */
export const levelsOf = ({ rate }: Figures): Level[] => [
  {
    name: 'delivery',
    budget: 0.001,
    what: 'recordings that the broker did not confirm',
    bad: (window) => rate('xray_producer_messages_total', window, 'outcome=~"nacked|returned|timeout|unavailable"'),
    all: (window) => rate('xray_producer_messages_total', window),
  },
  {
    name: 'processing',
    budget: 0.002,
    what: 'recordings that became dead letters by no fault of their sender',
    bad: (window) =>
      rate('xray_signals_messages_total', window, `outcome="dead_lettered",reason!~"${OF_THE_SENDER.join('|')}"`),
    all: (window) => rate('xray_signals_messages_total', window, 'outcome=~"stored|duplicate|dead_lettered"'),
  },
  {
    name: 'latency',
    budget: 0.01,
    what: 'recordings that were stored later than 0.5 s after they were taken',
    bad: (window) =>
      `(${rate('xray_signals_e2e_latency_seconds_count', window, 'outcome="stored"')} - ${rate('xray_signals_e2e_latency_seconds_bucket', window, 'outcome="stored",le="0.5"')})`,
    all: (window) => rate('xray_signals_e2e_latency_seconds_count', window, 'outcome="stored"'),
  },
  {
    name: 'api',
    budget: 0.001,
    what: "answers of the API's with a status of 5xx",
    bad: (window) => rate('xray_http_request_duration_seconds_count', window, 'status_code=~"5.."'),
    all: (window) => rate('xray_http_request_duration_seconds_count', window),
  },
]

/** The windows over which the part that is bad is recorded. */
export const WINDOWS = ['5m', '30m', '1h', '2h', '6h', '1d', '3d'] as const
type Window = (typeof WINDOWS)[number]

export const recordOf = (level: Level, window: string): string => `xray:slo_${level.name}:error_ratio_rate${window}`

/**
 * When a budget burns too fast, after Google's SRE workbook (multiwindow, multi-burn-rate alerts): at 14.4 times the
 * rate that would last 30 days 2 % of it are gone in an hour, at 6 times 5 % in six.
 */
export const BURNS: { severity: 'critical' | 'warning'; long: Window; short: Window; factor: number; for: string }[] = [
  { severity: 'critical', long: '1h', short: '5m', factor: 14.4, for: '2m' },
  { severity: 'critical', long: '6h', short: '30m', factor: 6, for: '15m' },
  { severity: 'warning', long: '1d', short: '2h', factor: 3, for: '1h' },
  { severity: 'warning', long: '3d', short: '6h', factor: 1, for: '3h' },
]
