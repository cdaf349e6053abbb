import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import type { Span, Tracing } from '#runtime/tracing.ts'
import { handleForged, NAMES } from '../../tests/stand/forged-batch.ts'
import { createBatchWatches } from './batch-watch.ts'
import { createMetrics } from './metrics.ts'
import { createProcessSpans } from './process-span.ts'

const NOW = 1_735_683_481_123

/** Traces everything, and takes no attribute that is none. */
const tracing = (): Tracing => {
  const span = {
    isRecording: () => true,
    setAttributes: () => span,
    addEvent: () => span,
    setStatus: () => span,
    setAttribute: () => span,
    recordException: () => undefined,
    end: () => undefined,
    spanContext: () => ({ traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), traceFlags: 1 }),
  }
  return { start: () => span as unknown as Span } as unknown as Tracing
}

/** Handles a batch of two that nobody signed, the first with a header of its own. Returns which were settled. */
const handle = async (header: Record<string, unknown>) => {
  const metrics = createMetrics(
    {
      PIPELINE_NAME: 'p',
      PIPELINE_NAMESPACE: 'n',
      SERVICE_VERSION: 'v',
      PREFETCH: 2,
      AMQP_QUEUE: NAMES.queue,
    } as never,
    () => 0,
  )
  const watch = createBatchWatches({
    metrics,
    spans: createProcessSpans(tracing(), NAMES.queue, 'd'),
    log: pino({ level: 'silent' }),
    now: () => NOW,
    tick: () => 7,
  })
  const { published, settled } = await handleForged({ forged: header, other: {} }, watch, NOW)
  return { settled: settled.sort(), published: published.map(({ properties }) => properties.messageId).sort() }
}

describe('whatever a header holds, its message is a dead letter by itself', () => {
  const HEADERS = ['x-v', 'x-kid', 'x-device-id', 'x-received-at', 'x-attempt', 'x-sig', 'x-sha256', 'traceparent']
  const OTHERS = ['x-first-failed-at', 'x-replay-count', 'x-replay-of', 'x-dlq-reason', 'x-dlq-detail', 'x-schema']
  const VALUES: [string, unknown][] = [
    ['a table', { toString: 'x', valueOf: 'y' }],
    ['a list', [{ toString: 'x' }]],
    ['a text', 'soon'],
    ['no number', Number.NaN],
    ['no end', Number.POSITIVE_INFINITY],
    ['less than nothing', -1e308],
    ['bytes', Buffer.from([0xff])],
    ['a time of AMQP', { '!': 'timestamp', value: 1e300 }],
    ['nothing', null],
    ['yes', true],
  ]
  it.each(HEADERS.concat(OTHERS).flatMap((name) => VALUES.map(([kind, value]) => [name, kind, value] as const)))(
    '%s holds %s',
    async (name, _, value) => {
      const both = ['forged', 'other']
      // Attempt 0 is what a queue's wait is measured of.
      expect(await handle({ 'x-attempt': 0, [name]: value })).toEqual({ settled: both, published: both })
    },
  )
})
