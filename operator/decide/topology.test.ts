import { describe, expect, it } from 'vitest'
import { DEFAULTS, topologySpecOf } from '#contract/pipeline.ts'
import { type Topology, type TopologySpec, toTopology } from '#contract/topology.ts'
import { decideFormerQueues, decideTopology, type Found, formerAmong } from './topology.ts'

const spec = topologySpecOf(DEFAULTS)
const nothing: Found = { exchanges: [], queues: [], bindings: [], policies: [] }

/** What the broker tells once a plan has been carried out. */
const after = (found: Found, wanted: Topology): Found => {
  const plan = decideTopology(wanted, found)
  if ('problem' in plan) throw new Error(plan.problem)
  const others = found.policies.filter(({ name }) => !plan.policies.some((policy) => policy.name === name))
  return {
    exchanges: [...found.exchanges, ...plan.exchanges],
    queues: [...found.queues, ...plan.queues],
    bindings: [...found.bindings, ...plan.bindings],
    policies: [...others, ...plan.policies],
  }
}
const declared = after(nothing, toTopology(spec))
const plan = (change: Partial<TopologySpec>, found: Found = declared) =>
  decideTopology(toTopology({ ...spec, ...change }), found)
const names = (decided: ReturnType<typeof plan>) =>
  'problem' in decided
    ? decided.problem
    : Object.fromEntries(
        (['policies', 'exchanges', 'queues'] as const).map((kind) => [kind, decided[kind].map(({ name }) => name)]),
      )

describe('a topology', () => {
  it('is declared whole on an empty virtual host, and then no more', () => {
    expect(declared.queues).toHaveLength(8)
    expect(declared.policies.map(({ pattern }) => pattern)).toContain('^xray\\.raw\\.q$')
    expect(plan({})).toEqual({ policies: [], exchanges: [], queues: [], bindings: [] })
  })
  it.each([
    ['more bytes are a policy', { maxLengthBytes: 2 ** 40 }, ['xray.raw.q'], []],
    ['fewer bytes are a policy', { maxLengthBytes: 1 }, ['xray.raw.q'], []],
    ['a longer wait is a policy', { delaysMs: [1000, 2000, 4000, 60_000] }, ['xray.raw.v1.retry.4'], []],
    ['a shorter wait is a policy', { delaysMs: [1, 2000, 4000, 8000] }, ['xray.raw.v1.retry'], []],
    [
      'a further step is a queue and its policy',
      { delaysMs: [1000, 2000, 4000, 8000, 9000] },
      ['xray.raw.v1.retry.5'],
      ['xray.raw.v1.retry.5'],
    ],
    ['a step less takes nothing away', { delaysMs: [1000, 2000] }, [], []],
  ])('%s', (_, change, policies, queues) => expect(names(plan(change))).toEqual({ policies, exchanges: [], queues }))
  it('a policy that somebody changed is put back', () =>
    expect(names(plan({}, { ...declared, policies: [] }))).toMatchObject({
      policies: expect.arrayContaining(['xray.raw.q']),
    }))
})

describe('what RabbitMQ cannot change in place', () => {
  const queueWith = (name: string, more: Record<string, string | number>): Found => ({
    ...declared,
    bindings: [],
    queues: declared.queues.map((queue) =>
      queue.name === name ? { ...queue, arguments: { ...queue.arguments, ...more } } : queue,
    ),
  })
  it.each([
    [
      'an argument of a queue',
      queueWith('iot.dlx', { 'x-overflow': 'drop-head' }),
      'queue iot.dlx: x-overflow is drop-head, wanted reject-publish',
    ],
    [
      'a limit that an argument holds down',
      queueWith('xray.raw.q', { 'x-max-length-bytes': 1000 }),
      'queue xray.raw.q: its argument x-max-length-bytes holds the limit at 1000, wanted 4294967296',
    ],
    [
      'the type of an exchange',
      { ...declared, exchanges: declared.exchanges.map((one) => ({ ...one, type: 'fanout' as const })) },
      'exchange iot.dlx: type is fanout, wanted topic; exchange iot.xray: type is fanout, wanted topic',
    ],
  ])('%s is told, and nothing is declared', (_, found, problem) =>
    expect(plan({}, found)).toEqual({ problem: expect.stringContaining(problem) }),
  )
  it('an argument that limits no more than the policy does no harm', () =>
    expect(names(plan({}, queueWith('xray.raw.q', { 'x-max-length-bytes': 2 ** 40 })))).toMatchObject({ queues: [] }))
})

describe('a retry queue that a shorter ladder left', () => {
  const former = ['r.5', 'r.6']
  const look = (atMs: number, ready = 0, unacked = 0, name = 'r.5') => [{ name, atMs, ready, unacked }]
  const since = new Map([['r.5', 0]])
  it.each([
    ['stays at first', look(1000), true, new Map(), [], [['r.5', 1000]]],
    ['stays while it may still be published to', look(119_000), true, since, [], [['r.5', 0]]],
    ['goes when it has long been empty', look(120_000), true, since, ['r.5'], []],
    ['stays while messages wait in it', look(120_000, 1), true, since, [], []],
    ['stays while messages are on their way from it', look(120_000, 0, 1), true, since, [], []],
    ['stays while pods of the longer ladder run', look(120_000), false, since, [], []],
    ['stays when the broker does not tell its depth', [], true, since, [], []],
    ['is one of this pipeline', look(120_000, 0, 0, 'other'), true, new Map([['other', 0]]), [], []],
  ])('%s', (_, looks, settled, before, remove, kept) => {
    const decided = decideFormerQueues(former, looks, settled, before)
    expect([decided.remove, [...decided.emptySince]]).toEqual([remove, kept])
  })
})

describe('a queue with the name of a former retry queue', () => {
  const ours = { name: 'r.5', arguments: { 'x-dead-letter-routing-key': 'main' }, messages: 0 }
  const { messages: _, ...unknown } = ours
  it.each([
    ['is deleted when it is empty', ours, false, ['r.5']],
    ['stays while it holds messages', { ...ours, messages: 1 }, false, []],
    ['stays while nobody knows whether it does', unknown, false, []],
    ['goes with its pipeline, whatever it holds', { ...ours, messages: 1 }, true, ['r.5']],
    ['stays when it returns nothing to this pipeline', { ...ours, arguments: {} }, true, []],
    ['stays when its name is another', { ...ours, name: 'r.1' }, true, []],
  ])('%s', (_, queue, full, expected) => expect(formerAmong([queue], ['r.5'], 'main', full)).toEqual(expected))
})
