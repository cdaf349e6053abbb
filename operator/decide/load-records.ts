import type { Figures } from './figures.ts'

/** Messages that have come to an end, whatever it was: what the queue loses. */
const ENDED = 'outcome=~"stored|duplicate|dead_lettered"'

/**
 * What a pipeline has to do and does, recorded under names that need no knowledge of its queues: for a query that
 * scales it, for a dashboard, for an alert of one's own. Rates are of a minute, messages a second.
 */
export const loadRecords = ({ names, rate, messages }: Figures): { record: string; expr: string }[] => {
  const backlog = messages([names.queue])
  const ended = rate('xray_signals_messages_total', '1m', ENDED)
  return [
    { record: 'pipeline:xray_backlog_messages:sum', expr: backlog },
    {
      record: 'pipeline:xray_messages_taken:rate1m',
      expr: rate('xray_producer_messages_total', '1m', 'outcome="confirmed"'),
    },
    { record: 'pipeline:xray_messages_ended:rate1m', expr: ended },
    // Without anything that ends there is no such time, and no value is right.
    { record: 'pipeline:xray_backlog_drain:seconds', expr: `${backlog} / (${ended} > 0)` },
  ]
}
