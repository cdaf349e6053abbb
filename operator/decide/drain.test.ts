import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DRAIN_ANNOTATION } from '#contract/drain.ts'
import type { DrainStatus } from '#contract/scaling/status.ts'
import { DELETION_COST, type DrainPod, type DrainSeen, decideDrain, drainPodsOf } from './drain.ts'
import type { Pod } from './pods.ts'

const NOW = Date.parse('2026-01-01T00:00:00Z')
const pod = (name: string, change: Partial<DrainPod> = {}): DrainPod => ({
  name,
  createdAt: '2026-01-01T00:00:00Z',
  ready: true,
  running: true,
  hears: true,
  priced: false,
  finished: false,
  ...change,
})
const told = (name: string, change: Partial<DrainPod> = {}) => pod(name, { toldMs: NOW - 10_000, ...change })
const ON: DrainStatus = { from: 5, to: 3, finished: 0, message: '' }
const seen = (change: Partial<DrainSeen>): DrainSeen => ({
  current: 5,
  wanted: 3,
  before: ON,
  pods: ['a', 'b', 'c', 'd', 'e'].map((name) => pod(name)),
  drain: { strategy: 'Cooperative', timeoutSeconds: 300 },
  nowMs: NOW,
  ...change,
})
const with_ = (...changed: DrainPod[]) =>
  ['a', 'b', 'c', 'd', 'e'].map((name) => changed.find((other) => other.name === name) ?? pod(name))

describe('pods that are to go', () => {
  it('are not told before the status says that a drain is on', () =>
    expect(decideDrain(seen({ before: undefined, pods: [] }))).toEqual({
      replicas: 5,
      tell: [],
      free: [],
      price: [],
      status: { from: 5, to: 3, finished: 0, message: 'draining 2 of 5 pods: 0 finished' },
    }))
  it('by SIGTERM alone go at once', () =>
    expect(
      decideDrain(seen({ before: undefined, pods: [], drain: { strategy: 'Sigterm', timeoutSeconds: 300 } })),
    ).toMatchObject({ replicas: 3, status: undefined }))

  it.each([
    [
      'that do not serve, before any that does',
      with_(pod('b', { ready: false }), pod('d', { ready: false })),
      ['b', 'd'],
    ],
    ['that are newest', with_(pod('c', { createdAt: '2026-01-01T00:00:09Z' })), ['c', 'a']],
    [
      'that were told before, with the newest beside them',
      with_(told('e'), pod('c', { createdAt: '2026-01-02T00:00:00Z' })),
      ['c'],
    ],
    ['in the order of their names when nothing tells them apart', with_().reverse(), ['a', 'b']],
    ['no more than there are beyond those that stay', with_().slice(0, 4), ['a']],
  ])('are those %s', (_, pods, tell) =>
    expect(decideDrain(seen({ pods }))).toMatchObject({ replicas: 5, tell, price: [] }),
  )

  it.each([
    ['one still holds messages', with_(told('a', { finished: true }), told('b')), 5, [], 1],
    ['all have finished', with_(told('a', { finished: true }), told('b', { finished: true })), 3, ['a', 'b'], 2],
    [
      'one has its cost already',
      with_(told('a', { finished: true, priced: true }), told('b', { finished: true })),
      3,
      ['b'],
      2,
    ],
    ['one never ran', with_(told('a', { running: false }), told('b', { finished: true })), 3, ['b', 'a'], 1],
    ['one cannot hear', with_(told('a', { hears: false }), told('b', { finished: true })), 3, ['b', 'a'], 1],
  ])('when %s', (_, pods, replicas, price, finished) =>
    expect(decideDrain(seen({ pods }))).toMatchObject({ replicas, price, status: { finished } }),
  )

  it('go although one has not finished when their time is over, which is told', () => {
    const pods = with_(told('a', { toldMs: NOW - 300_000 }), told('b', { finished: true }))
    expect(decideDrain(seen({ pods }))).toMatchObject({
      replicas: 3,
      price: ['b', 'a'],
      news: { reason: 'DrainTimedOut', note: 'signals: 5 -> 3 although 1 of 2 had not finished after 300 s' },
    })
    const younger = with_(told('a', { toldMs: NOW - 299_000 }), told('b', { toldMs: NOW - 400_000 }))
    expect(decideDrain(seen({ pods: younger }))).toMatchObject({ replicas: 5 })
  })
  it('without any left need no cost', () => {
    const pods = [told('a', { finished: true })]
    expect(decideDrain(seen({ current: 1, wanted: 0, pods }))).toMatchObject({ replicas: 0, price: [] })
  })
  it('go at once when the strategy becomes SIGTERM', () =>
    expect(
      decideDrain(seen({ pods: with_(told('a'), told('b')), drain: { strategy: 'Sigterm', timeoutSeconds: 300 } })),
    ).toMatchObject({ replicas: 3, price: ['a', 'b'] }))
})

describe('more work while pods are to go', () => {
  const pods = with_(told('a', { finished: true }), told('b'))
  it('lets the one stay that has not finished', () =>
    expect(decideDrain(seen({ wanted: 4, pods }))).toMatchObject({ replicas: 5, free: ['b'], tell: [] }))
  it('lets all stay before it starts others', () => {
    expect(decideDrain(seen({ wanted: 7, pods }))).toMatchObject({
      replicas: 7,
      free: ['a', 'b'],
      status: ON,
      news: { reason: 'DrainCancelled', note: 'signals: kept 2 pods of those that were to go' },
    })
    expect(decideDrain(seen({ current: 7, wanted: 7 }))).toMatchObject({ replicas: 7, status: undefined })
  })
})

describe('a Deployment that has its lower number', () => {
  const leaving = [told('a', { finished: true, priced: true }), pod('b'), pod('c'), pod('d')]
  it('keeps the marks of the pods that its ReplicaSet has yet to delete', () =>
    expect(decideDrain(seen({ current: 3, pods: leaving }))).toMatchObject({ replicas: 3, free: [], status: ON }))
  it('gets a higher one before any of them is freed', () =>
    expect(decideDrain(seen({ current: 3, wanted: 6, pods: leaving }))).toMatchObject({ replicas: 6, free: [] }))
  it('ends the drain when they are gone', () =>
    expect(decideDrain(seen({ current: 3, pods: leaving.slice(1) }))).toMatchObject({ replicas: 3, status: undefined }))
  it('takes a pod back that its ReplicaSet left in place of another', () =>
    expect(decideDrain(seen({ current: 3, pods: leaving.slice(0, 3) }))).toMatchObject({ free: ['a'] }))
  it('takes it back, too, when nothing has been deleted for a minute after its time', () =>
    expect(decideDrain(seen({ current: 3, pods: leaving, nowMs: NOW + 360_000 }))).toMatchObject({ free: ['a'] }))
})

it('what the API server says of a pod', () => {
  const object: Pod = {
    metadata: {
      name: 'a',
      creationTimestamp: '2026-01-01T00:00:00Z',
      annotations: { [DRAIN_ANNOTATION]: '2026-01-01T00:00:00.000Z', [DELETION_COST]: '-1000' },
    },
    spec: { containers: [], volumes: [{ name: 'drain' }] },
    status: {
      phase: 'Running',
      conditions: [{ type: 'Ready', status: 'True' }],
      containerStatuses: [{ name: 'signals', ready: true, restartCount: 0, state: { running: {} } }],
    },
  }
  const ending = { ...object, metadata: { ...object.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } }
  const evicted = { ...object, status: { phase: 'Failed' } }
  expect(drainPodsOf([object, ending, evicted], new Set(['a']))).toEqual([
    pod('a', { toldMs: NOW, priced: true, finished: true }),
  ])
})

/**
 * A cluster, and an operator that ends after any of its writes. Pods finish some time after they were told; the
 * ReplicaSet deletes by its own rules, sooner or later.
 */
const simulate = (start: number, wishes: readonly number[], throws: readonly number[]) => {
  const violations: string[] = []
  let made = 0
  let thrown = 0
  let crashes = true
  const dice = (): number => throws[thrown++ % throws.length] as number
  let nowMs = NOW
  let status: DrainStatus | undefined
  let replicas = start
  type Live = { name: string; toldMs?: number | undefined; cost: boolean; heldMs: number; createdMs: number }
  const pods: Live[] = []
  const create = () => pods.push({ name: `p${made++}`, cost: false, heldMs: 0, createdMs: nowMs })
  const isFinished = ({ toldMs, heldMs }: Live) => toldMs !== undefined && nowMs - toldMs >= heldMs
  const replicaSet = (): void => {
    while (pods.length < replicas) create()
    pods.sort((one, other) => Number(other.cost) - Number(one.cost) || other.createdMs - one.createdMs)
    for (const gone of pods.splice(0, pods.length - replicas))
      if (!isFinished(gone) && replicas > 0) violations.push(`${gone.name} went with messages`)
  }
  replicaSet()
  const step = (wanted: number): void => {
    nowMs += 1_000
    const plan = decideDrain({
      current: replicas,
      wanted,
      before: status,
      pods:
        status === undefined
          ? []
          : pods.map((one) => ({
              ...pod(one.name, {
                createdAt: new Date(one.createdMs).toISOString(),
                finished: isFinished(one),
                priced: one.cost,
              }),
              ...(one.toldMs !== undefined && { toldMs: one.toldMs }),
            })),
      drain: { strategy: 'Cooperative', timeoutSeconds: 300 },
      nowMs,
    })
    const find = (name: string) => pods.find((one) => one.name === name) as Live
    const writes: (() => void)[] = [
      ...plan.free.map((name) => () => void Object.assign(find(name), { toldMs: undefined, cost: false })),
      ...plan.tell.map((name) => () => void Object.assign(find(name), { toldMs: nowMs, heldMs: dice() * 5_000 })),
      ...plan.price.map((name) => () => void Object.assign(find(name), { cost: true })),
      () => {
        replicas = plan.replicas
      },
      () => {
        status = plan.status
      },
    ]
    const done = crashes && dice() < 0.3 ? Math.floor(dice() * writes.length) : writes.length
    for (const write of writes.slice(0, done)) write()
    if (!crashes || dice() < 0.6) replicaSet()
  }
  for (const wanted of wishes) step(wanted)
  const last = wishes.at(-1) ?? start
  crashes = false
  for (let rest = 0; rest < 60; rest++) step(last)
  replicaSet()
  for (let rest = 0; rest < 10; rest++) step(last)
  const left = pods.filter(({ toldMs }) => toldMs !== undefined).length
  if (replicas !== last || pods.length !== last || left > 0 || status !== undefined)
    violations.push(`ends with ${replicas} of ${last}, ${left} told, ${JSON.stringify(status)}`)
  return violations
}

it('whatever is wanted, and wherever its process ends, no pod goes with messages and none is left told', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 8 }),
      fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 1, maxLength: 30 }),
      fc.array(fc.integer({ min: 0, max: 99 }), { minLength: 100, maxLength: 100 }),
      (start, wishes, throws) => {
        const hundredths = throws.map((number) => number / 100)
        expect(simulate(start, wishes, hundredths)).toEqual([])
      },
    ),
    { numRuns: 500 },
  )
})
