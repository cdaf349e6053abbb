import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readEnvelope } from '#contract/envelope-text.ts'
import { toTraceparent } from '#contract/traceparent.ts'
import { deadLettersOf } from '#runtime/dead-letter-store.ts'
import { ensureTool } from '../../k8s/local/tools.ts'
import { deviceFrom, post } from '../../services/cli/device.ts'
import { eventually } from '../e2e/cluster.ts'
import { recording } from '../e2e/device.ts'
import type { Process } from '../stand/service-process.ts'
import { type Collector, openCollector, type ReceivedSpan } from './collector.ts'
import { openSite, TOKEN } from './pipeline-site.ts'

beforeAll(() => ensureTool('otelcol'), 900_000)

const DEVICE = '66bb584d4ae73e488c30a072'
const nonce = () => randomBytes(16).toString('base64url')
const newTrace = (sampled = true) => ({
  traceId: randomBytes(16).toString('hex'),
  spanId: randomBytes(8).toString('hex'),
  sampled,
})
type Trace = ReturnType<typeof newTrace>

const site = await openSite('tracing', { maxRetries: 1, delaysMs: [50], jitterMs: 0 })
afterAll(site.close)

const send = (url: string, trace: Trace, masterHex = site.masterHex) =>
  post(
    url,
    deviceFrom(masterHex, DEVICE, 'k1'),
    Buffer.from(recording()),
    nonce(),
    Math.floor(Date.now() / 1000),
    trace,
  )

const storedAs = (messageId: string | undefined) =>
  eventually(`${messageId} to be stored`, 60, async () => {
    const signal = await site.store.signals.findOne({ messageId: messageId ?? '' })
    return signal ?? undefined
  })

/** Runs xrayctl against services of this machine; what it prints. */
const xrayctl = async (producer: Process, api: Process, ...args: string[]): Promise<string> => {
  const { stdout } = await promisify(execFile)(process.execPath, ['services/cli/main.ts', ...args], {
    env: {
      PATH: process.env.PATH,
      XRAY_API: api.url,
      XRAY_INGEST: producer.url,
      XRAY_TOKEN: TOKEN,
      XRAY_DEVICE_KEY: deviceFrom(site.masterHex, DEVICE, 'k1').key.toString('hex'),
    },
  })
  return stdout
}

/** Runs something while services run, and ends them in the order in which they were started. */
const withServices = async (
  components: ('producer' | 'signals' | 'api')[],
  env: Record<string, string>,
  run: (...services: Process[]) => Promise<void>,
): Promise<Process[]> => {
  const services: Process[] = []
  try {
    for (const component of components) services.push(await site.start(component, env))
    await run(...services)
  } finally {
    for (const service of services) expect(await service.stop()).toBe(0)
  }
  return services
}

const logOf = (service: Process | undefined): Record<string, unknown>[] =>
  (service?.log() ?? []).map((line) => JSON.parse(line))

describe('with an OTLP endpoint', () => {
  let collector: Collector
  let services: Process[]
  let metrics: Record<string, string>
  const [sent, forged, unsampled, retried] = [newTrace(), newTrace(), newTrace(false), newTrace()]
  let messageId: string | undefined
  let byHand: { messageId: string; traceId: string; id: string }
  let timeline: string

  beforeAll(async () => {
    collector = await openCollector()
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint, LOG_LEVEL: 'debug' }
    services = await withServices(['producer', 'signals', 'api'], env, async (producer, signals, api) => {
      if (producer === undefined || signals === undefined || api === undefined) throw new Error('not started')
      ;({ messageId } = await send(producer.url, sent))
      await storedAs(messageId)
      await storedAs((await send(producer.url, unsampled)).messageId)
      // Now: a later sampled message that took as long would stand in its place.
      const withFirst = await signals.metrics()
      expect((await send(producer.url, forged, '00'.repeat(32))).status).toBe(401)

      // A message that no key here has signed is tried again, and then dead.
      const traceparent = toTraceparent(retried)
      const headers = {
        'x-v': 1,
        'x-kid': 'p9',
        'x-device-id': DEVICE,
        'x-received-at': Date.now(),
        'x-device-ts': 1735683480000,
        'x-sha256': '0'.repeat(64),
        'x-schema': 'recording.v1',
        'x-attempt': 0,
        'x-sig': '0'.repeat(64),
        traceparent,
      }
      const options = { messageId: '9'.repeat(32), contentType: 'application/json', headers }
      site.channel.publish('iot.xray', 'xray.raw.v1', Buffer.from('{}'), options)
      const dead = await eventually('the message to be dead', 60, async () => {
        const letter = await deadLettersOf(site.store.db).findOne({ messageId: options.messageId })
        return letter ?? undefined
      })
      expect(readEnvelope(dead.envelope).headers).toMatchObject({ traceparent, 'x-attempt': 1 })

      const read = (path: string, headers: Record<string, string> = {}) =>
        fetch(`${api.url}/api/signals/${path}`, { headers: { authorization: `Bearer ${TOKEN}`, ...headers } }).then(
          (answer) => answer.json(),
        )
      expect(await read(`${messageId}/trace`, { traceparent: toTraceparent(sent) })).toMatchObject({
        messageId,
        state: 'stored',
        deviceId: DEVICE,
        attempts: 1,
        traceId: sent.traceId,
        events: [{ what: 'accepted' }, { what: 'stored' }],
      })
      expect(await read(`${options.messageId}/trace`)).toMatchObject({
        state: 'dead',
        events: [{ what: 'accepted' }, { what: 'failed first' }, { what: 'dead' }],
      })
      const folder = mkdtempSync(join(tmpdir(), 'xrayiot-recording-'))
      writeFileSync(join(folder, 'recording.json'), recording())
      byHand = JSON.parse(await xrayctl(producer, api, 'send', join(folder, 'recording.json'), '--wait'))
      timeline = await xrayctl(producer, api, 'trace', byHand.messageId)
      rmSync(folder, { recursive: true })
      metrics = { withFirst, signals: await signals.metrics(), api: await api.metrics() }
    })
  })
  afterAll(() => collector.close())

  /** Spans of a trace by their names. They are exported when a service ends, at the latest. */
  const spansOf = (trace: { traceId: string }): Record<string, ReceivedSpan[]> =>
    Object.groupBy(
      collector.spans().filter(({ traceId }) => traceId === trace.traceId),
      ({ name }) => name,
    ) as Record<string, ReceivedSpan[]>
  const only = (spans: ReceivedSpan[] | undefined): ReceivedSpan => {
    expect(spans).toHaveLength(1)
    return (spans as [ReceivedSpan])[0]
  }

  it('one trace leads from the device to the store', () => {
    const spans = spansOf(sent)
    const served = only(spans['POST /v1/ingest'])
    expect(served).toMatchObject({
      service: 'xray-producer',
      kind: 'server',
      parentId: sent.spanId,
      attributes: { 'http.route': '/v1/ingest', 'http.response.status_code': 202, 'xray.device.id': DEVICE },
      failed: false,
    })
    const published = only(spans['publish iot.xray:xray.raw.v1'])
    expect(published).toMatchObject({
      service: 'xray-producer',
      kind: 'producer',
      parentId: served.spanId,
      attributes: {
        'messaging.system': 'rabbitmq',
        'messaging.operation.type': 'send',
        'messaging.message.id': messageId,
      },
    })
    const processed = only(spans['process iot.xray:xray.raw.v1:xray.raw.q'])
    expect(processed).toMatchObject({
      service: 'xray-signals',
      kind: 'consumer',
      parentId: published.spanId,
      attributes: { 'messaging.message.id': messageId, 'xray.outcome': 'stored', 'xray.attempt': 0 },
      events: ['verify', 'transform', 'dedupe'],
    })
    const [raw, signal] = [only(spans['insert raw_payloads']), only(spans['insert signals'])]
    for (const write of [raw, signal])
      expect(write).toMatchObject({
        service: 'xray-signals',
        kind: 'client',
        parentId: processed.spanId,
        attributes: { 'db.system.name': 'mongodb', 'db.operation.name': 'insert' },
      })
    expect(processed.startMs).toBeLessThanOrEqual(raw.startMs)
    expect(raw.endMs).toBeLessThanOrEqual(signal.startMs)
    expect(signal.endMs).toBeLessThanOrEqual(processed.endMs)
  })

  it('the signal names its trace, to whoever reads it', async () =>
    expect((await storedAs(messageId)).traceId).toBe(sent.traceId))

  it('xrayctl send begins a trace, and xrayctl trace finds the message by its own id', () => {
    expect(Object.keys(spansOf(byHand))).toContain('insert signals')
    expect(timeline).toContain(`Message ${byHand.messageId}: stored`)
    expect(timeline).toContain(`Signal  ${byHand.id}`)
    expect(timeline).toContain(`Trace   ${byHand.traceId}`)
  })

  it('a reader who is known may go on with it', () => {
    const asked = only(spansOf(sent)['GET /api/signals/:id/trace'])
    expect(asked).toMatchObject({ service: 'xray-api', kind: 'server', parentId: sent.spanId })
  })

  it('a stranger cannot join a trace, nor have one sampled', () => {
    expect(spansOf(forged)).toEqual({})
    const refused = collector.spans().filter(({ attributes }) => attributes['http.response.status_code'] === 401)
    expect(only(refused)).toMatchObject({ name: 'POST /v1/ingest', parentId: '' })
  })

  it('a device that does not want its trace sampled is heard', () => expect(spansOf(unsampled)).toEqual({}))

  it('every attempt of a message is in its trace, and says why it failed', () => {
    const attempts = Object.values(spansOf(retried)).flat()
    expect(
      attempts.map(({ name, kind, parentId, failed, attributes }) => [
        name,
        kind,
        parentId,
        failed,
        attributes['xray.attempt'],
        attributes['xray.outcome'],
        attributes['error.type'],
      ]),
    ).toEqual([
      ['process iot.xray:xray.raw.v1:xray.raw.q', 'consumer', retried.spanId, true, 0, 'retried', 'auth_unknown_key'],
      ['process xray.raw.q', 'consumer', retried.spanId, true, 1, 'dead_lettered', 'auth_unknown_key'],
    ])
  })

  it('the line of a dead letter names the trace', () =>
    expect(logOf(services[1]).filter(({ msg }) => msg === 'a message is dead')).toMatchObject([
      { level: 'error', trace_id: retried.traceId, message_id: '9'.repeat(32), reason: 'auth_unknown_key' },
    ]))

  it('metrics name sampled spans, and count what happened', () => {
    expect(metrics.withFirst).toMatch(
      new RegExp(
        `xray_signals_e2e_latency_seconds_bucket\\{.*outcome="stored".*\\} \\d+ # \\{trace_id="${sent.traceId}"`,
      ),
    )
    expect(metrics.signals).toMatch(/xray_signals_failures_total\{stage="authentication",retryable="true".*\} 2\n/)
    expect(metrics.api).toMatch(/xray_storage_objects\{store="gridfs".*\} \d+\n/)
    expect(metrics.api).toMatch(/xray_storage_bytes\{store="redis",kind="data".*\} [1-9]\d*\n/)
  })
})

describe('without an OTLP endpoint', () => {
  /** The scripts that a process has loaded, as V8 counted them. */
  const loadedBy = async (env: Record<string, string>, run: (url: string) => Promise<void>): Promise<string[]> => {
    const folder = mkdtempSync(join(tmpdir(), 'xrayiot-coverage-'))
    try {
      // What comes from the compile cache, coverage may leave out.
      const watched = { ...env, NODE_V8_COVERAGE: folder, NODE_DISABLE_COMPILE_CACHE: '1' }
      await withServices(['producer', 'signals'], watched, (producer) => run(producer?.url ?? ''))
      return readdirSync(folder).flatMap((file) =>
        (JSON.parse(readFileSync(join(folder, file), 'utf8')) as { result: { url: string }[] }).result.map(
          ({ url }) => url,
        ),
      )
    } finally {
      rmSync(folder, { recursive: true })
    }
  }
  const ofTelemetry = (urls: string[]): string[] => urls.filter((url) => /@opentelemetry\/(?!api\/)/.test(url)) // prom-client brings the API along

  it("nothing of it is loaded, and the device's own trace still reaches the store", async () => {
    const trace = newTrace()
    const urls = await loadedBy({}, async (url) => {
      const { messageId } = await send(url, trace)
      expect((await storedAs(messageId)).traceId).toBe(trace.traceId)
    })
    expect(urls.filter((url) => url.endsWith('services/runtime/tracing.ts'))).toHaveLength(2)
    expect(ofTelemetry(urls)).toEqual([])
  })

  it('an endpoint that is disabled loads nothing either, one that is away hurts nobody', async () => {
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' }
    const disabled = await loadedBy({ ...env, OTEL_SDK_DISABLED: 'true' }, async () => undefined)
    expect(ofTelemetry(disabled)).toEqual([])
    const away = await loadedBy(env, async (url) => void (await storedAs((await send(url, newTrace())).messageId)))
    expect(ofTelemetry(away).length).toBeGreaterThan(0)
  })
})
