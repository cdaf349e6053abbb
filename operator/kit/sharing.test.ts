import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { KubeObject } from './object.ts'
import { createSharing } from './sharing.ts'

const deployment = (name: string): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, labels: { app: 'xray' }, ownerReferences: [] },
  spec: { replicas: 1, template: { spec: { containers: [{ name, securityContext: { runAsNonRoot: true } }] } } },
})
type Spec = { template: { spec: { containers: { securityContext: object }[] } } }
const contextOf = ({ spec }: KubeObject) => (spec as Spec).template.spec.containers[0]?.securityContext

const json = (value: unknown) => JSON.parse(JSON.stringify(value))
const object = (spec: unknown, labels: unknown = {}): KubeObject =>
  json({ apiVersion: 'v1', kind: 'A', metadata: { name: 'a', labels }, spec })

it('what is shared is equal to what came, whatever came before', () => {
  const share = createSharing()
  const value = fc.jsonValue({ maxDepth: 4 })
  fc.assert(
    fc.property(value, value, fc.option(value), (spec, labels, former) => {
      const before = former === null ? undefined : object(former)
      expect(json(share(object(spec, labels), before))).toEqual(object(spec, labels))
    }),
  )
})

it('equal parts of different objects are one, and what differs is not', () => {
  const share = createSharing()
  const [a, b] = [share(deployment('a'), undefined), share(deployment('b'), undefined)]
  expect(contextOf(a)).toBe(contextOf(b))
  expect(a.metadata.labels).toBe(b.metadata.labels)
  expect((a.spec as Spec).template).not.toBe((b.spec as Spec).template)
})

it('an object that came anew and is the same is the former', () => {
  const share = createSharing()
  const former = share(deployment('a'), undefined)
  for (const name of 'bcdefghij') share({ ...deployment(name), spec: {} }, undefined)
  expect(share(deployment('a'), former)).toBe(former)
})

it('nobody can change what belongs to many', () => {
  const share = createSharing()
  share(deployment('a'), undefined)
  const shared = share(deployment('b'), undefined)
  expect(() => Object.assign(contextOf(shared) ?? {}, { runAsNonRoot: false })).toThrow(TypeError)
  expect(() => Object.assign(shared.metadata, { name: 'c' })).toThrow(TypeError)
})

it.each([
  [{ a: '1' }, { a: 1 }],
  [{ a: ['1', '2'] }, { a: ['1,2'] }],
  [{ a: null }, { a: 'null' }],
  [{ a: {} }, { a: [] }],
  [{ a: [1, 2] }, { a: [1] }],
  [{ a: { b: 1, c: 2 } }, { a: { b: 1 } }],
  [{ a: { b: 1 } }, { a: { c: 1 } }],
])('%j and %j are different', (one, other) => {
  const share = createSharing()
  const of = (spec: object) => share(object(spec), undefined).spec
  expect([of(one), of(other)]).toEqual([one, other])
})
