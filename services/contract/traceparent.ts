/** The W3C trace context of a request or message: which trace it belongs to, and the span that caused it. */
export type TraceContext = { traceId: string; spanId: string; sampled: boolean }

const FORM = /^(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/
const NO_TRACE = '0'.repeat(32)
const NO_SPAN = '0'.repeat(16)

/**
 * Reads a `traceparent` (W3C Trace Context, 3.2). Whoever sent it may have put anything there.
 * @returns undefined when it is absent, malformed, or names no trace or no span
 */
export const readTraceparent = (value: unknown): TraceContext | undefined => {
  if (typeof value !== 'string') return undefined
  const [, traceId, spanId, flags] = FORM.exec(value) ?? []
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined
  if (traceId === NO_TRACE || spanId === NO_SPAN) return undefined
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 }
}

/** The `traceparent` of a context, in version 00. */
export const toTraceparent = ({ traceId, spanId, sampled }: TraceContext): string =>
  `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`
