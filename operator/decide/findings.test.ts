import { describe, expect, it } from 'vitest'
import type { ScalingReason } from '#contract/scaling/reasons.ts'
import { findingsOf, type Seen } from './findings.ts'
import type { Rollout } from './rollout.ts'

const rollout = (change: Partial<Rollout> = {}): Rollout => ({
  desired: 1,
  ready: 1,
  image: 'x:1',
  serving: 1,
  progressing: false,
  problem: undefined,
  late: false,
  ...change,
})
const all = (change: Partial<Rollout>) => ({
  producer: rollout(change),
  signals: rollout(change),
  api: rollout(change),
})
const seen = (change: Partial<Seen> = {}): Seen => ({
  decided: true,
  paused: false,
  takenBy: undefined,
  secretProblem: undefined,
  broker: { reachable: true, message: 'its management API answers' },
  topologyProblem: undefined,
  monitoring: undefined,
  components: all({}),
  refusal: undefined,
  kept: { components: [], image: 'x:2' },
  scaling: undefined,
  unsupported: [],
  ...change,
})
const told = (change: Partial<Seen>, ...types: string[]): string[] =>
  types.map((type) => {
    const found = findingsOf(seen(change)).find((finding) => finding.type === type)
    return `${found?.status} ${found?.reason}`
  })
const bad = { ready: 0, serving: 1, progressing: true, problem: { reason: 'ImagePullBackOff', message: 'no image' } }

describe('the conditions of a pipeline', () => {
  it.each([
    ['that is whole', {}, ['True AllReady', 'False Settled', 'False NotStalled', 'False AsExpected']],
    [
      'that has just been made',
      { components: all({ ready: 0, serving: 0, progressing: true }), decided: false },
      ['Unknown ComponentsNotReady', 'True ComponentsNotReady', 'False NotStalled', 'False AsExpected'],
    ],
    [
      'that waits for its pods',
      { components: all({ ready: 0, progressing: true }) },
      ['False ComponentsNotReady', 'True ComponentsNotReady', 'False NotStalled', 'False AsExpected'],
    ],
    [
      'whose queue is taken',
      { takenBy: 'x' },
      ['False QueueTaken', 'False QueueTaken', 'True QueueTaken', 'False AsExpected'],
    ],
    [
      'whose new image is not there',
      { components: { ...all({}), api: rollout(bad) } },
      ['False ImagePullBackOff', 'True ImagePullBackOff', 'False NotStalled', 'True ImagePullBackOff'],
    ],
    [
      'whose roll-out has given up',
      { components: { ...all({}), api: rollout({ ...bad, late: true }) } },
      ['False ImagePullBackOff', 'False ImagePullBackOff', 'True ImagePullBackOff', 'True ImagePullBackOff'],
    ],
    [
      'of which a child is not taken',
      { refusal: { reason: 'ChildInvalid', message: 'x' } },
      ['False ChildInvalid', 'False ChildInvalid', 'True ChildInvalid', 'False AsExpected'],
    ],
    [
      'of which a child may not be made',
      { refusal: { reason: 'ChildForbidden', message: 'x' } },
      ['False ChildForbidden', 'True ChildForbidden', 'False NotStalled', 'False AsExpected'],
    ],
    [
      "of which a child's name is another's",
      { refusal: { reason: 'NameTaken', message: 'x' } },
      ['False NameTaken', 'True NameTaken', 'False NotStalled', 'False AsExpected'],
    ],
  ] as [string, Partial<Seen>, string[]][])('%s', (_, change, expected) =>
    expect(told(change, 'Ready', 'Reconciling', 'Stalled', 'Degraded')).toEqual(expected),
  )

  it('say that it serves while a roll-out hangs and the former pods are there', () =>
    expect(told({ components: all(bad) }, 'Available')).toEqual(['True Serving']))
  it.each([
    ['is declared', {}, 'True Declared'],
    ['is not decided while the pipeline is paused', { paused: true }, 'Unknown NotDecided'],
    ["is not decided while the queue is another's", { takenBy: 'x' }, 'Unknown NotDecided'],
    [
      'is not decided while it is paused and the broker is away',
      { paused: true, broker: { reachable: false, message: 'x' } },
      'Unknown NotDecided',
    ],
    ['is not declared while the broker is away', { broker: { reachable: false, message: 'x' } }, 'False NotDeclared'],
    ['cannot be, as was seen before the pause', { paused: true, topologyProblem: 'x' }, 'False TopologyMismatch'],
  ] as [string, Partial<Seen>, string][])('say that the topology %s', (_, change, expected) =>
    expect(told(change, 'TopologyReady')).toEqual([expected]),
  )
  it('name every component that has failed, and the reason of the first', () => {
    const [ready] = findingsOf(seen({ components: { ...all(bad), producer: rollout() } }))
    expect(ready?.message).toBe('signals: no image; api: no image')
  })
  it('say which components stay with a former release', () => {
    const found = findingsOf(seen({ kept: { components: ['signals', 'api'], image: 'x:2' } }))
    expect(found.find(({ type }) => type === 'UpToDate')?.message).toMatch(/^signals, api stay .* the image x:2$/)
    expect(found[0]).toMatchObject({ type: 'Ready', status: 'True' })
  })
  it('come in one order, Ready first', () =>
    expect(findingsOf(seen()).map(({ type }) => type)).toEqual([
      'Ready',
      'Available',
      'Progressing',
      'Degraded',
      'UpToDate',
      'BrokerReachable',
      'TopologyReady',
      'ScalingActive',
      'Paused',
      'Reconciling',
      'Stalled',
    ]))
})

describe('the condition of scaling', () => {
  const scalingOf = (reason: ScalingReason, elsewhere: boolean) =>
    ({ reason, message: 'figures', inputs: elsewhere ? { elsewhere: { reason, message: 'figures' } } : {} }) as never
  it.each<[ScalingReason, boolean, string]>([
    ['Steady', false, 'True'],
    ['ScalingOff', false, 'False'],
    ['LeftToKeda', true, 'True'],
    ['Fallback', true, 'True'],
    ['KedaPending', true, 'Unknown'],
    ['KedaMissing', true, 'False'],
    ['KedaNotReady', true, 'False'],
    ['KedaLeaving', true, 'False'],
    ['Conflict', true, 'False'],
  ])('of %s is (elsewhere %s) %s', (reason, elsewhere, status) => {
    const found = findingsOf(seen({ scaling: scalingOf(reason, elsewhere) })).find(
      ({ type }) => type === 'ScalingActive',
    )
    expect(found).toMatchObject({ status, reason, message: elsewhere ? 'figures' : 'see status.scaling' })
  })
  it('names what the provider cannot do', () =>
    expect(findingsOf(seen({ unsupported: ['slo: no', 'drain: no'] }))).toContainEqual(
      expect.objectContaining({
        type: 'ProviderUnsupportedFields',
        message: expect.stringContaining('slo: no; drain: no'),
      }),
    ))
  it('is told of a provider only that cannot do something', () =>
    expect(told({}, 'ProviderUnsupportedFields')).toEqual(['undefined undefined']))
})

describe('the condition of monitors', () => {
  it.each([
    ['is not there when none are asked for', undefined, 'undefined undefined'],
    ['says that they are there', { missing: [], forbidden: [], state: 'applied' as const }, 'True MonitorsApplied'],
    [
      'says that some still have to go',
      { missing: [], forbidden: [], state: 'changing' as const },
      'False MonitorsChanging',
    ],
    [
      'stays while nothing may be changed',
      { missing: [], forbidden: [], state: 'held' as const },
      'Unknown NotDecided',
    ],
    [
      'says which kinds the cluster lacks',
      { missing: ['ServiceMonitor'], forbidden: [], state: 'applied' as const },
      'False MonitoringUnavailable',
    ],
    [
      'says which kinds the operator may not write',
      { missing: [], forbidden: ['ServiceMonitor'], state: 'applied' as const },
      'False MonitoringForbidden',
    ],
    [
      "says which name is another's",
      { missing: [], forbidden: [], taken: 'x', state: 'applied' as const },
      'False NameTaken',
    ],
  ])('%s', (_, monitoring, expected) => expect(told({ monitoring }, 'MonitoringReady')).toEqual([expected]))
  it('leaves the pipeline ready', () =>
    expect(told({ monitoring: { missing: ['ServiceMonitor'], forbidden: [], state: 'applied' } }, 'Ready')).toEqual([
      'True AllReady',
    ]))
})
