import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { binary } from '../../k8s/local/tools.ts'
import { eventually } from '../e2e/cluster.ts'
import { freePort } from '../stand/service-process.ts'

/** Kinds as OTLP numbers them. */
export const KINDS = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'] as const

type Value = { stringValue?: string; intValue?: string | number; doubleValue?: number; boolValue?: boolean }
type Attribute = { key: string; value: Value }
type OtlpSpan = {
  traceId: string
  spanId: string
  parentSpanId?: string
  name: string
  kind: number
  startTimeUnixNano: string
  endTimeUnixNano: string
  attributes?: Attribute[]
  events?: { name: string; timeUnixNano: string }[]
  status?: { code?: number }
}
type Export = {
  resourceSpans: { resource: { attributes: Attribute[] }; scopeSpans: { spans: OtlpSpan[] }[] }[]
}

/** A span as the collector received it. */
export type ReceivedSpan = {
  service: string
  traceId: string
  spanId: string
  parentId: string
  name: string
  kind: (typeof KINDS)[number]
  attributes: Record<string, string | number | boolean>
  events: string[]
  startMs: number
  endMs: number
  failed: boolean
}

const plain = (attributes: Attribute[] = []): ReceivedSpan['attributes'] =>
  Object.fromEntries(
    attributes.map(({ key, value: { stringValue, intValue, doubleValue, boolValue } }) => [
      key,
      stringValue ?? (intValue === undefined ? undefined : Number(intValue)) ?? doubleValue ?? boolValue ?? '',
    ]),
  )

const spansOf = ({ resourceSpans }: Export): ReceivedSpan[] =>
  resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) =>
      spans.map((span) => ({
        service: String(plain(resource.attributes)['service.name']),
        traceId: span.traceId,
        spanId: span.spanId,
        parentId: span.parentSpanId ?? '',
        name: span.name,
        kind: KINDS[span.kind] ?? 'unspecified',
        attributes: plain(span.attributes),
        events: (span.events ?? []).map(({ name }) => name),
        startMs: Number(span.startTimeUnixNano) / 1e6,
        endMs: Number(span.endTimeUnixNano) / 1e6,
        failed: span.status?.code === 2,
      })),
    ),
  )

const configuration = (receiverPort: number, exporterPort: number): string =>
  JSON.stringify({
    receivers: { otlp: { protocols: { http: { endpoint: `127.0.0.1:${receiverPort}` } } } },
    exporters: {
      otlp_http: {
        endpoint: `http://127.0.0.1:${exporterPort}`,
        encoding: 'json',
        compression: 'none',
        sending_queue: { enabled: false },
      },
    },
    service: {
      pipelines: { traces: { receivers: ['otlp'], exporters: ['otlp_http'] } },
      telemetry: { metrics: { level: 'none' } },
    },
  })

/**
 * Starts the OpenTelemetry Collector that `ensureTool` built. What it receives it hands on to us, as JSON.
 */
export const openCollector = async () => {
  const spans: ReceivedSpan[] = []
  const server = createServer(async (request, response) => {
    spans.push(...spansOf((await json(request)) as Export))
    response.setHeader('content-type', 'application/json').end('{}')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'xrayiot-otelcol-'))
  const file = join(folder, 'config.yaml') // JSON is YAML
  writeFileSync(file, configuration(port, (server.address() as AddressInfo).port))
  const child = spawn(binary('otelcol', 'otelcol'), ['--config', file], { stdio: 'ignore' })
  const endpoint = `http://127.0.0.1:${port}`
  await eventually('the collector to listen', 60, async () => (await fetch(endpoint)).status)
  return {
    endpoint,
    spans: (): readonly ReceivedSpan[] => spans,
    close: async (): Promise<void> => {
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      await ended
      server.close()
      rmSync(folder, { recursive: true })
    },
  }
}

export type Collector = Awaited<ReturnType<typeof openCollector>>
