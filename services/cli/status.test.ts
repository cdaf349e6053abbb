import { afterEach, describe, expect, it } from 'vitest'
import { type Answer, collection, fakeKubeApi } from '../../tests/stand/kube-api.ts'
import { NOW, runXrayctl } from '../../tests/stand/xrayctl.ts'
import { ageOf } from './age.ts'
import type { ConditionView, PipelineView } from './cluster.ts'
import { EXIT } from './failure.ts'
import { nearest } from './nearest.ts'
import { createPaint } from './paint.ts'
import { toSections } from './status.ts'

const condition = (type: string, status: string, reason = 'AllReady', message = 'so it is'): ConditionView => ({
  type,
  status,
  reason,
  message,
  lastTransitionTime: '2026-03-01T11:00:00Z',
})

const pipeline = (status: PipelineView['status'] = {}, generation = 2): PipelineView => ({
  apiVersion: 'xrayiot.dev/v1alpha1',
  kind: 'XRayPipeline',
  metadata: { name: 'leipzig', namespace: 'xray', generation, creationTimestamp: '2026-03-01T08:48:00Z' },
  spec: {},
  status: { observedGeneration: 2, conditions: [condition('Ready', 'True')], ...status },
})

const sections = (seen: PipelineView): string => toSections(seen, NOW, false, createPaint(false))
const PIPELINES = '/apis/xrayiot.dev/v1alpha1/namespaces/xray/xraypipelines'
const LEIPZIG = `${PIPELINES}/leipzig`

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

it('a pipeline is shown in sections', () =>
  expect(
    sections(
      pipeline({
        components: { producer: { desired: 2, ready: 2, image: 'i' }, signals: { desired: 3, ready: 1, image: 'i' } },
        backlog: 12,
        scaling: { reason: 'Steady', message: '12 waiting', terms: { steady: 1.2, startup: 0, backlog: 0 } },
      }),
    ),
  ).toBe(`Pipeline xray/leipzig: Ready   generation 2 (observed 2)   age 3h12m
Conditions Ready=True

STAGE      READY   DEPTH   IN/S   OUT/S   SCALING
producer   2/2     -       -      -       fixed
queue      -       12      -      -       -
signals    1/3     -       -      -       fixed
api        -       -       -      -       fixed

Scaling Steady: 12 waiting
        steady 1.2, startup 0, backlog 0`))

it.each<[string, PipelineView, string | undefined]>([
  ['dead letters', pipeline({ deadLetters: 2 }), '! 2 dead letters: xrayctl dlq list'],
  ['a generation that nobody has seen', pipeline({}, 3), '! the operator has not seen generation 3 yet'],
  [
    'a condition that should be True',
    pipeline({ conditions: [condition('BrokerReachable', 'False', 'NoAnswer', 'ECONNREFUSED')] }),
    '! BrokerReachable=False, NoAnswer: ECONNREFUSED (xrayctl explain NoAnswer)',
  ],
  ['a condition that should be False', pipeline({ conditions: [condition('Stalled', 'True')] }), '! Stalled=True'],
  ['a condition nobody can tell', pipeline({ conditions: [condition('StoreReachable', 'Unknown')] }), '! StoreR'],
  [
    'scaling that is off on purpose',
    pipeline({ conditions: [condition('ScalingActive', 'False', 'ScalingOff')] }),
    undefined,
  ],
  ['pods of a former release', pipeline({ conditions: [condition('UpToDate', 'False', 'FormerRelease')] }), undefined],
  ['a roll-out', pipeline({ conditions: [condition('Progressing', 'True')] }), undefined],
])('%s: attention is asked for where it should be', (_, seen, line) => {
  const asked = sections(seen)
    .split('\n')
    .filter((text) => text.startsWith('!'))
  expect(asked.join('\n')).toContain(line ?? '')
  expect(asked.length).toBe(line === undefined ? 0 : 1)
})

describe('status', () => {
  it.each<[string, PipelineView, number]>([
    ['ready', pipeline(), EXIT.ok],
    ['not ready', pipeline({ conditions: [condition('Ready', 'False', 'QueueTaken')] }), EXIT.failed],
    ['ready by a status of a former generation', pipeline({}, 3), EXIT.failed],
    ['without a status', pipeline({ conditions: [], observedGeneration: -1 }), EXIT.failed],
  ])('of a pipeline that is %s ends accordingly', async (_, seen, exit) =>
    expect((await run(['status'], { [`GET ${LEIPZIG}`]: [seen] })).exit).toBe(exit),
  )

  it.each([
    ['json', (text: string) => JSON.parse(text).metadata.name],
    ['yaml', (text: string) => /name: (\w+)/.exec(text)?.[1]],
    ['name', (text: string) => text.split('/')[1]],
  ])('as %s is for programs', async (format, nameIn) =>
    expect(nameIn((await run(['status', '-o', format], { [`GET ${LEIPZIG}`]: [pipeline()] })).out)).toBe('leipzig'),
  )

  it('takes the name as its argument, and says which one was probably meant', async () => {
    const planned = {
      [`GET ${PIPELINES}/lepzig`]: [{ status: 404, message: 'not found' }],
      [`GET ${PIPELINES}`]: [collection([pipeline()])],
    }
    const { exit, told } = await run(['status', 'lepzig'], planned)
    expect([exit, told]).toEqual([EXIT.notFound, 'the pipeline xray/lepzig is not there; did you mean "leipzig"?'])
  })

  it.each([
    [404, EXIT.notFound, 'the cluster does not know the kind XRayPipeline: install the operator'],
    [403, EXIT.denied, 'this kubeconfig may not (forbidden)'],
    [500, EXIT.failed, 'the API server answered 500: forbidden'],
  ])('-A told %d ends with %d', async (status, exit, text) => {
    const planned = { 'GET /apis/xrayiot.dev/v1alpha1/xraypipelines': [{ status, message: 'forbidden' }] }
    const run1 = await run(['status', '-A'], planned)
    expect(run1.exit).toBe(exit)
    expect(run1.told).toContain(text)
  })

  it('a cluster that is not there ends with its own code', async () =>
    expect((await runXrayctl(['status'], 'http://127.0.0.1:1')).exit).toBe(EXIT.unreachable))

  it('-w shows every change once, goes on over the end of a watch, and ends when it is interrupted', async () => {
    const interrupted = new AbortController()
    const changed = pipeline({ backlog: 5 })
    changed.metadata.resourceVersion = '9'
    const line = (type: string, object: object) => `${JSON.stringify({ type, object })}\n`
    const { exit, out, seen } = await run(
      ['status', '-w', '-o', 'json'],
      {
        [`GET ${LEIPZIG}`]: [pipeline()],
        [`GET ${PIPELINES}`]: [
          collection([pipeline()]),
          (response) => response.end(line('MODIFIED', changed) + line('MODIFIED', changed)),
          (response) => {
            response.write(line('BOOKMARK', { metadata: { resourceVersion: '11' } }))
            setImmediate(() => interrupted.abort())
          },
        ],
      },
      { interrupted },
    )
    expect(exit).toBe(EXIT.interrupted)
    expect(out.split('\n').map((text) => JSON.parse(text).status.backlog)).toEqual([undefined, 5])
    expect(seen.slice(2).map(({ query }) => query.get('resourceVersion'))).toEqual(['7', '9'])
  })
})

describe('pause and resume', () => {
  const paused = (spec: boolean, status: string, observedGeneration: number): PipelineView => ({
    ...pipeline({ conditions: [condition('Paused', status, 'SpecPaused')], observedGeneration }),
    spec: { paused: spec },
  })

  it('pause changes the spec and waits until the operator says so of this very generation', async () => {
    const { exit, out, told, seen } = await run(['pause'], {
      [`GET ${LEIPZIG}`]: [
        paused(false, 'False', 2),
        paused(true, 'False', 1),
        paused(true, 'True', 1),
        paused(true, 'True', 2),
      ],
      [`PATCH ${LEIPZIG}`]: [paused(true, 'False', 1)],
    })
    expect([exit, out]).toEqual([EXIT.ok, 'xray/leipzig paused'])
    expect(told).toContain('pods go on and messages flow')
    expect(seen[1]).toMatchObject({ request: `PATCH ${LEIPZIG}`, body: { spec: { paused: true } } })
    expect(seen).toHaveLength(5)
  })

  it('resume of one that is not paused writes nothing', async () => {
    const { exit, out, seen } = await run(['resume'], { [`GET ${LEIPZIG}`]: [paused(false, 'False', 2)] })
    expect([exit, out, seen.length]).toEqual([EXIT.ok, 'xray/leipzig was resumed already', 1])
  })

  it('an operator that says nothing is told after the timeout, with what it says still', async () => {
    const { exit, told } = await run(['pause', '--timeout', '2s'], {
      [`GET ${LEIPZIG}`]: [paused(false, 'False', 2)],
      [`PATCH ${LEIPZIG}`]: [paused(true, 'False', 1)],
    })
    expect(exit).toBe(EXIT.timeout)
    expect(told).toContain('after 2 s the operator still says Paused=False (SpecPaused); "xrayctl doctor"')
  })
})

it.each([
  ['2026-03-01T11:59:57Z', '3s'],
  ['2026-03-01T12:00:00Z', '0s'],
  ['2026-03-01T10:00:00Z', '2h'],
  ['2026-02-27T11:00:00Z', '2d1h'],
  ['2026-03-01T12:00:09Z', '0s'],
  [undefined, '-'],
])('from %s it is %s', (since, age) => expect(ageOf(since, NOW)).toBe(age))

it.each([
  ['leizpig', 'leipzig'],
  ['LEIPZIG', 'leipzig'],
  ['lei', 'leipzig'],
  ['munich', undefined],
  ['', undefined],
])('"%s" was probably meant to be %s', (word, meant) => expect(nearest(word, ['berlin', 'leipzig'])).toBe(meant))
