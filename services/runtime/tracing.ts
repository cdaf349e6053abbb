import type { Attributes, Context, Span, SpanKind } from '@opentelemetry/api'
import { readTraceparent, toTraceparent } from '#contract/traceparent.ts'

export type { Attributes, Span }

/** The end of a shut-down waits no longer than this for spans that are still to be exported. */
export const FLUSH_LIMIT_MS = 3_000

export type Kind = 'internal' | 'server' | 'client' | 'producer' | 'consumer'

/**
 * Spans of our own, exported by OTLP. Instrumentations that patch libraries cost several times as much for each message,
 * and that of AMQP still writes names from before 2023.
 */
export type Tracing = {
  /**
   * Starts a span. Without a parent, or with one that cannot be read, it starts a trace of its own.
   * @param parent a span, or the `traceparent` that a request or message carried
   * @param startMs ms since the epoch; now when it is left out
   */
  start: (name: string, kind: Kind, parent?: Span | string, startMs?: number) => Span
  /** Runs something with the span active, so that lines that are logged meanwhile name it. */
  run: <T>(span: Span, inside: () => T) => T
  /** What a line of the log says of the active span. */
  activeFields: () => Record<string, string>
  shutdown: () => Promise<void>
}

/** True when the environment asks for traces: an OTLP endpoint or an exporter is named, and nothing forbids it. */
export const wantsTraces = (env: Record<string, string | undefined>): boolean => {
  if (env.OTEL_SDK_DISABLED?.trim().toLowerCase() === 'true') return false
  if (env.OTEL_TRACES_EXPORTER?.trim() === 'none') return false
  return [env.OTEL_EXPORTER_OTLP_ENDPOINT, env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, env.OTEL_TRACES_EXPORTER].some(
    (value) => value !== undefined && value.trim() !== '',
  )
}

/** The `traceparent` under which what a span causes belongs to it. */
export const traceparentOf = (span: Span): string => {
  const { traceId, spanId, traceFlags } = span.spanContext()
  return toTraceparent({ traceId, spanId, sampled: (traceFlags & 1) === 1 })
}

/** What a line of the log says of a span. */
export const spanFields = (span: Span): Record<string, string> => {
  const { traceId, spanId } = span.spanContext()
  return { trace_id: traceId, span_id: spanId }
}

/** The same for a span that is exported; undefined for another, which nobody will find. */
export const sampledFields = (span: Span): Record<string, string> | undefined =>
  (span.spanContext().traceFlags & 1) === 1 ? spanFields(span) : undefined

/** SpanStatusCode.ERROR: to import the enum would load the API. */
const ERROR = 2

/** Marks a span as failed, with a word from a closed list. */
export const markFailed = (span: Span, errorType: string): void =>
  void span.setAttribute('error.type', errorType).setStatus({ code: ERROR })

const NOTHING: Record<string, string> = {}

/**
 * Loads the SDK and starts it, configured by the OTEL_* variables alone; undefined, with nothing loaded, unless they ask
 * for traces: the SDK costs 0.15 s of CPU at the start and 20 MB.
 * @param tell told what the SDK complains of: an endpoint that is away, a variable that it cannot read
 */
export const startTracing = async (
  component: string,
  env: Record<string, string | undefined>,
  tell: (problem: string) => void,
): Promise<Tracing | undefined> => {
  if (!wantsTraces(env)) return undefined
  const api = await import('@opentelemetry/api')
  const { startNodeSdk } = await import('@opentelemetry/sdk-node')
  const { trace, context, ROOT_CONTEXT, TraceFlags, diag, DiagLogLevel } = api
  const sdk = startNodeSdk({
    metricReaders: [],
    logRecordProcessors: [],
    resourceAttributes: {
      'service.name': env.OTEL_SERVICE_NAME || `xray-${component}`,
      'service.namespace': 'xray',
      ...(env.SERVICE_VERSION && { 'service.version': env.SERVICE_VERSION }),
      ...(env.PIPELINE_NAME && { 'xray.pipeline': env.PIPELINE_NAME }),
      ...(env.PIPELINE_NAMESPACE && { 'k8s.namespace.name': env.PIPELINE_NAMESPACE }),
    },
  })
  // The SDK's own goes to the console, in lines that are no JSON.
  const ignore = () => {}
  const logger = { error: tell, warn: tell, info: ignore, debug: ignore, verbose: ignore }
  diag.setLogger(logger, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true })

  const tracer = trace.getTracer('xray', env.SERVICE_VERSION)
  const kinds: Record<Kind, SpanKind> = {
    internal: api.SpanKind.INTERNAL,
    server: api.SpanKind.SERVER,
    client: api.SpanKind.CLIENT,
    producer: api.SpanKind.PRODUCER,
    consumer: api.SpanKind.CONSUMER,
  }
  const contextOf = (parent: Span | string | undefined): Context => {
    if (parent === undefined) return ROOT_CONTEXT
    if (typeof parent !== 'string') return trace.setSpan(ROOT_CONTEXT, parent)
    const remote = readTraceparent(parent)
    if (remote === undefined) return ROOT_CONTEXT
    const { traceId, spanId, sampled } = remote
    const traceFlags = sampled ? TraceFlags.SAMPLED : TraceFlags.NONE
    return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags, isRemote: true })
  }
  return {
    start: (name, kind, parent, startMs) =>
      tracer.startSpan(
        name,
        startMs === undefined ? { kind: kinds[kind] } : { kind: kinds[kind], startTime: startMs },
        contextOf(parent),
      ),
    run: (span, inside) => context.with(trace.setSpan(context.active(), span), inside),
    activeFields: () => {
      const span = trace.getActiveSpan()
      return span === undefined ? NOTHING : spanFields(span)
    },
    shutdown: sdk.shutdown,
  }
}
