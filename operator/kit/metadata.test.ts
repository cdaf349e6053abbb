import { describe, expect, it } from 'vitest'
import { toConditions } from './conditions.ts'
import { hasFinalizer, withFinalizer, withoutFinalizer } from './finalizers.ts'
import type { KubeObject, ObjectMeta } from './object.ts'
import { controllerReference, ownerKeys } from './owners.ts'
import { isMoreThanStatus, priorityOf } from './predicates.ts'
import { LIVE, ROUTINE } from './work-queue.ts'

const object = (change: Partial<ObjectMeta> = {}, fields: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Chest',
  metadata: { name: 'a', namespace: 'n', uid: 'u', generation: 1, resourceVersion: '1', ...change },
  ...fields,
})

describe('a finalizer', () => {
  it.each([
    [undefined, ['mine']],
    [['others'], ['others', 'mine']],
    [
      ['mine', 'others'],
      ['others', 'mine'],
    ],
  ])('is set once among %j, for this version only', (finalizers, expected) =>
    expect(withFinalizer(object(finalizers && { finalizers }), 'mine')).toEqual({
      metadata: { resourceVersion: '1', finalizers: expected },
    }),
  )
  it('is taken away, and those of others stay', () => {
    const both = object({ finalizers: ['mine', 'others'] })
    expect([hasFinalizer(both, 'mine'), hasFinalizer(object(), 'mine')]).toEqual([true, false])
    expect(withoutFinalizer(both, 'mine').metadata.finalizers).toEqual(['others'])
  })
})

it('an owner is found again by the reference to it', () => {
  const child = object({ name: 'b', ownerReferences: [controllerReference(object())] })
  expect(ownerKeys(child, 'Chest')).toEqual(['n/a'])
  expect([ownerKeys(child, 'Shelf'), ownerKeys(undefined, 'Chest')]).toEqual([[], []])
})

const change = (before: KubeObject | undefined, after: KubeObject | undefined, initial = false) => ({
  key: 'n/a',
  before,
  after,
  initial,
  unseen: false,
})

it.each([
  ['its creation', undefined, object(), true],
  ['its end', object(), undefined, true],
  ['a new spec', object(), object({ generation: 2, resourceVersion: '2' }), true],
  ['a label', object(), object({ labels: { a: 'b' }, resourceVersion: '2' }), true],
  ['a finalizer', object(), object({ finalizers: ['f'], resourceVersion: '2' }), true],
  ['its deletion', object(), object({ deletionTimestamp: 'now', resourceVersion: '2' }), true],
  ['its status', object(), object({ resourceVersion: '2' }, { status: { ready: true } }), false],
])('a controller looks at %s or not', (_, before, after, expected) =>
  expect(isMoreThanStatus(change(before, after))).toBe(expected),
)

it.each([
  ['what is in the first list', change(undefined, object(), true), ROUTINE],
  ['what was listed again and is the same', change(object(), object()), ROUTINE],
  ['what changes now', change(object(), object({ resourceVersion: '2' })), LIVE],
  ['what goes now', change(object(), undefined), LIVE],
])('%s has its priority', (_, changed, priority) => expect(priorityOf(changed)).toBe(priority))

it.each([
  ['stays when only the words change', 'True', '2026-01-01T00:00:00Z'],
  ['moves with the status', 'False', '2026-11-24T12:00:00Z'],
] as const)('the time of a condition %s', (_, status, lastTransitionTime) => {
  const before = {
    type: 'Ready',
    status: 'True' as const,
    reason: 'Was',
    message: 'it was',
    lastTransitionTime: '2026-01-01T00:00:00Z',
    observedGeneration: 1,
  }
  const finding = { type: 'Ready', status, reason: 'Is', message: 'it is' }
  expect(toConditions([finding], [before], 2, new Date('2026-11-24T12:00:00.999Z'))).toEqual([
    { ...finding, lastTransitionTime, observedGeneration: 2 },
  ])
})
