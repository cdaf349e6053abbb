import { afterEach, describe, expect, it } from 'vitest'
import { type Answer, collection, fakeKubeApi } from '../../tests/stand/kube-api.ts'
import { runXrayctl } from '../../tests/stand/xrayctl.ts'
import type { PipelineView } from './cluster.ts'
import { EXIT } from './failure.ts'
import { SORTS, type Sort, sortRows, toRow, toTop } from './top.ts'

const pipeline = (name: string, status: PipelineView['status'] = {}): PipelineView => ({
  apiVersion: 'xrayiot.dev/v1alpha1',
  kind: 'XRayPipeline',
  metadata: { name, namespace: 'xray' },
  spec: {},
  status,
})
const signals = (ready: number, desired: number) => ({ signals: { ready, desired, image: 'i' } })
const rates = (publishRate: number, ackRate: number) => ({ startupSeconds: 3, concurrency: 200, publishRate, ackRate })
const decided = (desired: number) => ({ current: desired, ready: desired, raw: desired, stabilized: desired, desired })

const BUSY = pipeline('busy', {
  backlog: 5400,
  components: signals(3, 3),
  scaling: {
    reason: 'BacklogAndRate',
    message: '3 -> 9: much',
    inputs: rates(20, 15.5),
    replicas: decided(9),
    drainEtaSeconds: 120,
  },
})
const SHRINKING = pipeline('shrinking', {
  backlog: 3,
  components: signals(5, 5),
  scaling: {
    reason: 'Steady',
    message: 'stays at 2',
    inputs: rates(2, 2),
    replicas: decided(2),
    drainEtaSeconds: 1,
    drain: { from: 5, to: 2, finished: 1, message: 'draining 3 of 5 pods: 1 finished' },
  },
})
const STUCK = pipeline('stuck', {
  backlog: 7,
  components: signals(0, 1),
  scaling: { reason: 'AtMaximum', message: 'stays at 1', replicas: decided(1), inputs: rates(30, 0) },
})
const NEW = pipeline('a-new-one', undefined)
const ALL = [NEW, SHRINKING, STUCK, BUSY]

it('pipelines are shown with what they have to do, the most first', () =>
  expect(
    toTop(sortRows(ALL.map(toRow), 'backlog')),
  ).toBe(`NAMESPACE   NAME        BACKLOG   IN/S   OUT/S   SIGNALS    EMPTY IN   REASON           WHY
xray        busy        5400      20     15.5    3/3 -> 9   120 s      BacklogAndRate   3 -> 9: much
xray        stuck       7         30     0       0/1        unknown    AtMaximum        stays at 1
xray        shrinking   3         2      2       5/5 -> 2   1 s        Steady           draining 3 of 5 pods: 1 finished
xray        a-new-one   -         -      -       -          -          -                -`))

it.each<[Sort, string[]]>([
  ['backlog', ['busy', 'stuck', 'shrinking', 'a-new-one']],
  ['in', ['stuck', 'busy', 'shrinking', 'a-new-one']],
  ['out', ['busy', 'shrinking', 'stuck', 'a-new-one']],
  ['eta', ['stuck', 'busy', 'shrinking', 'a-new-one']],
  ['name', ['a-new-one', 'busy', 'shrinking', 'stuck']],
])('sorted by %s', (by, names) =>
  expect(sortRows(ALL.toReversed().map(toRow), by).map(({ name }) => name)).toEqual(names),
)

describe('xrayctl top', () => {
  const PATH = '/apis/xrayiot.dev/v1alpha1'
  const open = new Set<{ close: () => void }>()
  afterEach(() => {
    for (const api of open) api.close()
    open.clear()
  })
  const run = async (argv: string[], planned: Record<string, Answer[]>) => {
    const api = await fakeKubeApi(planned)
    open.add(api)
    return runXrayctl(argv, api.url)
  }

  it('lists those of the namespace', async () => {
    const { exit, out } = await run(['top'], { [`GET ${PATH}/namespaces/xray/xraypipelines`]: [collection([BUSY])] })
    expect([exit, out]).toEqual([EXIT.ok, expect.stringContaining('busy')])
  })
  it('lists those of all namespaces, for programs', async () => {
    const { exit, out } = await run(['top', '-A', '-o', 'json', '--sort', 'name'], {
      [`GET ${PATH}/xraypipelines`]: [collection(ALL)],
    })
    expect(exit).toBe(EXIT.ok)
    expect(JSON.parse(out)).toEqual(sortRows(ALL.map(toRow), 'name'))
  })
  it('knows what it can sort by', async () => {
    const { exit, told } = await run(['top', '--sort', 'age'], {})
    expect([exit, told]).toEqual([EXIT.usage, expect.stringContaining(SORTS.join('", "'))])
  })
  it('draws anew when something changes, and only then', async () => {
    const line = (object: object) => `${JSON.stringify({ type: 'MODIFIED', object })}\n`
    const { out } = await run(['top', '-w', '--sort', 'name'], {
      [`GET ${PATH}/namespaces/xray/xraypipelines`]: [
        collection([BUSY]),
        (response) =>
          void response
            .writeHead(200, { 'content-type': 'application/json' })
            .end(line(BUSY) + line({ ...BUSY, status: {} })),
        { status: 403, message: 'that is all' },
      ],
    })
    expect(out.match(/NAMESPACE/g)).toHaveLength(2)
  })
})
