import { expect, it } from 'vitest'
import type { Client, Request } from './client.ts'
import { createExpectations, expecting, isAtLeast } from './expectations.ts'
import type { KubeObject } from './object.ts'

const object = (change: Partial<KubeObject['metadata']> = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'a', uid: 'one', resourceVersion: '99', ...change },
})

it.each([
  ['nothing', undefined, false],
  ['what was there before', object({ resourceVersion: '98' }), false],
  ['what was written', object(), true],
  ['what came after it', object({ resourceVersion: '100' }), true],
  ['what was made anew after it', object({ uid: 'two', resourceVersion: '100' }), true],
  ['what was there before it was made anew', object({ uid: 'two', resourceVersion: '98' }), false],
])('after a write, a cache that shows %s has caught up or not', (_, cached, caughtUp) => {
  const expectations = createExpectations(() => 0)
  expectations.wrote('/a', object())
  expect(expectations.caughtUp('/a', cached)).toBe(caughtUp)
})

it.each([
  ['the object', object(), false],
  ['nothing', undefined, true],
  ['another of that name', object({ uid: 'two' }), true],
  ['the object, which waits for its finalizers', object({ deletionTimestamp: 'now' }), true],
])('after a deletion, a cache that shows %s has caught up or not', (_, cached, caughtUp) => {
  const expectations = createExpectations(() => 0)
  expectations.removed('/a', 'one')
  expect(expectations.caughtUp('/a', cached)).toBe(caughtUp)
})

it('of what it did not write nothing is expected', () =>
  expect(createExpectations(() => 0).caughtUp('/a', undefined)).toBe(true))

it('after 30 s nobody waits any more', () => {
  let nowMs = 0
  const expectations = createExpectations(() => nowMs)
  expectations.wrote('/a', object())
  nowMs = 29_999
  expect(expectations.caughtUp('/a', undefined)).toBe(false)
  nowMs = 30_000
  expect(expectations.caughtUp('/a', undefined)).toBe(true)
})

it.each([
  ['100', '99', true],
  ['99', '100', false],
  ['99', '99', true],
  ['18446744073709551615', '18446744073709551614', true],
])('version %s is at least %s: %s', (one, other, expected) => expect(isAtLeast(one, other)).toBe(expected))

it.each([
  ['a creation', { method: 'POST', path: '/api/v1/namespaces/n/configmaps' }],
  ['an apply', { method: 'PATCH', path: '/api/v1/namespaces/n/configmaps/a' }],
  ['a change of its status', { method: 'PATCH', path: '/api/v1/namespaces/n/configmaps/a/status' }],
] as [string, Request][])('%s is expected of the object itself', async (_, request) => {
  const expectations = createExpectations(() => 0)
  const client = { request: async () => object() } as unknown as Client
  await expecting(client, expectations).request(request)
  expect(expectations.caughtUp('/api/v1/namespaces/n/configmaps/a', undefined)).toBe(false)
})
