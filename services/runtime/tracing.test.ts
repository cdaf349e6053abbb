import { describe, expect, it } from 'vitest'
import { wantsTraces } from './tracing.ts'

const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' }

describe('traces are wanted', () => {
  it.each([
    ['with an endpoint', ENDPOINT],
    ['with one of traces alone', { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://collector:4318/v1/traces' }],
    ['with an exporter', { OTEL_TRACES_EXPORTER: 'console' }],
    ['when the SDK is said not to be disabled', { ...ENDPOINT, OTEL_SDK_DISABLED: 'false' }],
  ])('%s', (_, env) => expect(wantsTraces(env)).toBe(true))
})

describe('traces are not wanted', () => {
  it.each([
    ['by default', {}],
    ['with an empty endpoint', { OTEL_EXPORTER_OTLP_ENDPOINT: ' ' }],
    ['with an endpoint of metrics alone', { OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: 'http://collector:4318' }],
    ['when the SDK is disabled', { ...ENDPOINT, OTEL_SDK_DISABLED: 'True' }],
    ['when nothing is to export them', { ...ENDPOINT, OTEL_TRACES_EXPORTER: 'none' }],
  ])('%s', (_, env) => expect(wantsTraces(env)).toBe(false))
})
