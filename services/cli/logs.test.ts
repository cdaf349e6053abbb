import { afterEach, describe, expect, it } from 'vitest'
import { type Answer, collection, fakeKubeApi } from '../../tests/stand/kube-api.ts'
import { runXrayctl } from '../../tests/stand/xrayctl.ts'
import { concerns, toEventLine } from './events.ts'
import { EXIT } from './failure.ts'
import { type LogFilter, passes, pretty, readLogLine } from './log-line.ts'
import { createPaint } from './paint.ts'

const open = new Set<{ close: () => void }>()
afterEach(() => {
  for (const api of open) api.close()
  open.clear()
})
const run = async (argv: string[], planned: Record<string, Answer[]>, more = {}) => {
  const api = await fakeKubeApi(planned)
  open.add(api)
  return { ...(await runXrayctl(argv, api.url, more)), seen: api.seen }
}

const line = (at: string, fields: object | string): string =>
  `2026-03-01T12:00:${at}Z ${typeof fields === 'string' ? fields : JSON.stringify(fields)}`

const pod = (name: string, component = 'signals') => ({
  metadata: { name, namespace: 'xray', labels: { 'app.kubernetes.io/component': component } },
  spec: { containers: [{ name: 'mesh' }, { name: component }] },
  status: { containerStatuses: [{ name: component, state: { running: {} } }] },
})
const PODS = '/api/v1/namespaces/xray/pods'
const text =
  (...lines: string[]): Answer =>
  (response) =>
    response.end(`${lines.join('\n')}\n`)

describe('a line of a log', () => {
  const everything: LogFilter = { level: undefined, device: undefined, messageId: undefined }
  const warned = line('01.000000000', { level: 'warn', msg: 'slow', device_id: 'a'.repeat(24) })
  it.each<[string, string, Partial<LogFilter>, boolean]>([
    ['of the level', warned, { level: 'warn' }, true],
    ['above the level', warned, { level: 'debug' }, true],
    ['below the level', warned, { level: 'error' }, false],
    ['that is no JSON', line('01.000000000', 'Segmentation fault'), { level: 'fatal' }, true],
    ['that begins like JSON', line('01.000000000', '{ at main.ts'), { level: 'fatal' }, true],
    ['of the device', warned, { device: 'a'.repeat(24) }, true],
    ['of another device', warned, { device: 'b'.repeat(24) }, false],
    ['of another message', warned, { messageId: 'b'.repeat(32) }, false],
  ])('%s passes or not', (_, from, filter, expected) =>
    expect(passes(readLogLine('p', from), { ...everything, ...filter })).toBe(expected),
  )

  it.each([
    [{ level: 'warn', msg: 'slow', time: 'x', component: 'signals', n: 3 }, '12:00:01.250 WARN  slow n=3'],
    [{ level: 'error', msg: 'no', err: { message: 'ECONNRESET', stack: 's' } }, '12:00:01.250 ERROR no ECONNRESET'],
    ['Segmentation fault', '12:00:01.250       Segmentation fault'],
  ])('%j is pretty', (fields, expected) =>
    expect(pretty(readLogLine('p', line('01.250000000', fields)), createPaint(false))).toBe(expected),
  )
})

describe('logs', () => {
  it('merges the logs of all pods by time, and asks for our container only', async () => {
    const { out, exit, seen } = await run(['logs', '-o', 'raw', '--since', '10m', '--tail', '5'], {
      [`GET ${PODS}`]: [collection([pod('one'), pod('two', 'api')])],
      [`GET ${PODS}/one/log`]: [text(line('01.000000000', 'first'), line('03.000000000', 'third'))],
      [`GET ${PODS}/two/log`]: [text(line('02.000000000', 'second'))],
    })
    expect([exit, out]).toEqual([EXIT.ok, 'first\nsecond\nthird'])
    expect(Object.fromEntries(seen[1]?.query ?? [])).toEqual({
      container: 'signals',
      timestamps: 'true',
      sinceSeconds: '600',
      tailLines: '5',
    })
  })

  it('tells of a container that has not started, and shows the others', async () => {
    const { out, told, exit } = await run(['logs', 'signals', '-o', 'json'], {
      [`GET ${PODS}`]: [collection([pod('one'), pod('two')])],
      [`GET ${PODS}/one/log`]: [{ status: 400, message: 'container "signals" is waiting to start: ImagePullBackOff' }],
      [`GET ${PODS}/two/log`]: [text(line('02.000000000', { level: 'info', msg: 'there' }))],
    })
    expect(exit).toBe(EXIT.ok)
    expect(told).toContain('waiting to start: ImagePullBackOff')
    expect(JSON.parse(out)).toEqual({ pod: 'two', at: '2026-03-01T12:00:02.000000000Z', level: 'info', msg: 'there' })
  })

  const forbidden = { status: 403, message: 'pods "one" is forbidden: User "tester" cannot get resource "pods/log"' }
  const there = text(line('02.000000000', 'there'))
  it.each<[string, Answer, Answer, number, string]>([
    ['no log may be read', forbidden, forbidden, EXIT.denied, ''],
    ['some logs may not be read', forbidden, there, EXIT.partial, 'there'],
    ['a node does not hand out a log', { status: 502, message: 'no route to host' }, there, EXIT.partial, 'there'],
    ['the node does not take the question', { status: 400, message: 'out of range' }, there, EXIT.partial, 'there'],
    ['no node hands out a log', { status: 500, message: 'x' }, { status: 500, message: 'x' }, EXIT.failed, ''],
    ['a pod went meanwhile', { status: 404, message: 'not found' }, there, EXIT.ok, 'there'],
  ])('tells by its exit code that %s', async (_, one, two, code, shown) => {
    const { out, told, exit } = await run(['logs', '-o', 'raw'], {
      [`GET ${PODS}`]: [collection([pod('one'), pod('two')])],
      [`GET ${PODS}/one/log`]: [one],
      [`GET ${PODS}/two/log`]: [two],
    })
    expect([exit, out]).toEqual([code, shown])
    expect(told).toContain('the log of one')
    if (one === forbidden)
      expect(told).toContain(
        'cannot get resource "pods/log"); it needs the right to get pods/log in the namespace xray',
      )
  })

  it('-f ends when the right to read logs is missing, or is taken away', async () => {
    const pods = [collection([pod('one')]), () => undefined]
    const at = `GET ${PODS}/one/log`
    for (const answers of [[forbidden], [there, forbidden]]) {
      const { exit, told } = await run(['logs', '-f'], { [`GET ${PODS}`]: [...pods], [at]: answers })
      expect([exit, told]).toEqual([EXIT.denied, expect.stringContaining('get pods/log in the namespace xray')])
    }
  })

  it('-f ends with all that it follows when it may not watch the pods', async () => {
    const [followed, ended] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const { exit, told } = await run(['logs', '-f'], {
      [`GET ${PODS}`]: [
        collection([pod('one')]),
        (response) =>
          void followed.promise.then(() =>
            response.writeHead(403).end('{"message":"pods is forbidden: cannot watch"}'),
          ),
      ],
      [`GET ${PODS}/one/log`]: [
        there,
        (response) => {
          response.on('close', ended.resolve).write(`${line('03.000000000', 'on')}\n`)
          followed.resolve()
        },
      ],
    })
    expect([exit, told]).toEqual([EXIT.denied, 'the pods: this kubeconfig may not (pods is forbidden: cannot watch)'])
    await ended.promise
  })

  it('-f goes on after the last line, tells none twice, and takes a pod that comes later', async () => {
    const late: Answer = (response) => response.write(`${line('05.000000000', 'from the new one')}\n`)
    const { out, exit, seen } = await run(
      ['logs', '-f', '-o', 'raw'],
      {
        [`GET ${PODS}`]: [
          collection([pod('one')]),
          (response) => response.write(`${JSON.stringify({ type: 'ADDED', object: pod('two') })}\n`),
        ],
        [`GET ${PODS}/one/log`]: [
          text(line('01.100000000', 'first')),
          (response) => response.write(`${line('01.100000000', 'first')}\n${line('01.200000000', 'second')}\n`),
        ],
        [`GET ${PODS}/two/log`]: [late],
      },
      { enough: (shown: string) => shown.includes('second') && shown.includes('from the new one') },
    )
    expect(exit).toBe(EXIT.interrupted)
    expect(out.split('\n').sort()).toEqual(['first', 'from the new one', 'second'])
    const followed = seen.filter(({ query }) => query.get('follow') === 'true')
    expect(followed.map(({ query }) => query.get('sinceTime')).sort()).toEqual(['2026-03-01T12:00:01Z', null])
  })

  it.each([
    [['logs', '--tail', 'few'], EXIT.usage],
    [['logs', '--since', '9999999999h'], EXIT.usage],
    [['logs', '--device', 'x'], EXIT.usage],
    [['logs', '--message-id', 'x'], EXIT.usage],
    [['logs', '--level', 'loud'], EXIT.usage],
    [['logs', 'broker'], EXIT.usage],
  ])('%j ends with %d and asks nothing', async (argv, exit) => {
    const done = await run(argv, {})
    expect([done.exit, done.seen]).toEqual([exit, []])
  })

  it('a pipeline without pods ends with not found', async () => {
    const planned = {
      [`GET ${PODS}`]: [collection([])],
      'GET /apis/xrayiot.dev/v1alpha1/namespaces/xray/xraypipelines/leipzig': [{}],
    }
    expect(await run(['logs'], planned)).toMatchObject({
      exit: EXIT.notFound,
      told: 'xray/leipzig has no pod of any component; "xrayctl status" says why',
    })
  })
})

const event = (kind: string, name: string, more = {}) => ({
  metadata: { name: 'e', creationTimestamp: '2026-03-01T11:59:00Z' },
  type: 'Normal',
  reason: 'Pulled',
  note: 'a\n  note',
  regarding: { kind, name },
  ...more,
})

it.each([
  ['XRayPipeline', 'leipzig', true],
  ['XRayPipeline', 'leipzig-api', false],
  ['Deployment', 'leipzig-signals', true],
  ['Pod', 'leipzig-signals-9ccc7c599-rqcx8', true],
  ['Secret', 'leipzig-keys', true],
  ['Pod', 'leipzig-api-58fdc7545-ppj7t', true],
  ['Pod', 'leipzig-api-signals-9ccc7c599-rqcx8', false],
  ['Pod', 'leipziger-api-58fdc7545-ppj7t', false],
  ['Pod', 'xray-rabbitmq-0', false],
])('an event of the %s %s concerns the pipeline leipzig: %s', (kind, name, expected) =>
  expect(concerns(event(kind, name), 'leipzig', ['leipzig', 'leipzig-api'])).toBe(expected),
)

it.each([
  [
    'of a series',
    { series: { count: 4, lastObservedTime: '2026-03-01T12:00:04.000000Z' } },
    ['2026-03-01T12:00:04.000000Z', 4],
  ],
  [
    'of an older client',
    { deprecatedLastTimestamp: '2026-03-01T12:00:03Z', deprecatedCount: 2, series: null },
    ['2026-03-01T12:00:03Z', 2],
  ],
  ['that happened once', { eventTime: '2026-03-01T12:00:02.000000Z' }, ['2026-03-01T12:00:02.000000Z', 1]],
  ['that tells no time', { eventTime: null }, ['2026-03-01T11:59:00Z', 1]],
])('an event %s has its time and count', (_, more, [at, count]) =>
  expect(toEventLine(event('Pod', 'p', more))).toEqual({
    at,
    count,
    type: 'Normal',
    reason: 'Pulled',
    object: 'Pod/p',
    message: 'a note',
  }),
)

describe('events', () => {
  const PIPELINES = '/apis/xrayiot.dev/v1alpha1/namespaces/xray/xraypipelines'
  const EVENTS = '/apis/events.k8s.io/v1/namespaces/xray/events'
  const planned = {
    [`GET ${PIPELINES}`]: [collection([{ metadata: { name: 'leipzig' } }])],
    [`GET ${EVENTS}`]: [
      collection([
        event('Pod', 'leipzig-api-1', { eventTime: '2026-03-01T11:59:30.000000Z', reason: 'Later' }),
        event('Pod', 'xray-redis-0', { eventTime: '2026-03-01T11:59:10.000000Z', reason: 'Other' }),
        event('XRayPipeline', 'leipzig', { deprecatedLastTimestamp: '2026-03-01T11:59:20Z', reason: 'Earlier' }),
      ]),
    ],
  }
  const reasons = (out: string): string[] => JSON.parse(out).map(({ reason }: { reason: string }) => reason)

  it('are those of the pipeline and its children, oldest first', async () =>
    expect(reasons((await run(['events', '-o', 'json'], planned)).out)).toEqual(['Earlier', 'Later']))
  it('--since leaves out what is older', async () =>
    expect(reasons((await run(['events', '-o', 'json', '--since', '35s'], planned)).out)).toEqual(['Later']))
  it('-w tells each new one once', async () => {
    const added = (reason: string) =>
      JSON.stringify({ type: 'ADDED', object: event('Pod', 'leipzig-api-1', { reason }) })
    const stream: Answer = (response) => response.write(`${added('New')}\n${added('New')}\n${added('Last')}\n`)
    const { out, exit } = await run(
      ['events', '-w'],
      { ...planned, [`GET ${EVENTS}`]: [planned[`GET ${EVENTS}`]?.[0] as Answer, stream] },
      { enough: (shown: string) => shown.includes('Last') },
    )
    expect(exit).toBe(EXIT.interrupted)
    expect(out.split('\n').map((row) => row.split(/ {3,}/)[2])).toEqual(['Earlier', 'Later', 'New', 'Last'])
  })
})
