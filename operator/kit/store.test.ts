import { expect, it } from 'vitest'
import type { KubeObject } from './object.ts'
import { byOwner, createStore } from './store.ts'

const owned = (name: string, ...owners: string[]): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, ownerReferences: owners.map((uid) => ({ apiVersion: 'v1', kind: 'Pod', name: uid, uid })) },
})
const names = (objects: KubeObject[]): string[] => objects.map(({ metadata }) => metadata.name)

it('objects are found by their owner as long as it owns them', () => {
  const store = createStore({ owner: byOwner })
  store.set('n/a', owned('a', 'one'))
  store.set('n/b', owned('b', 'one', 'two'))
  expect([names(store.by('owner', 'one')), names(store.by('owner', 'two'))]).toEqual([['a', 'b'], ['b']])
  store.set('n/b', owned('b', 'two'))
  store.set('n/a', undefined)
  expect([names(store.by('owner', 'one')), names(store.by('owner', 'two'))]).toEqual([[], ['b']])
})

it('tells what was there before', () => {
  const store = createStore({})
  expect(store.set('n/a', owned('a'))).toBeUndefined()
  expect(store.set('n/a', undefined)).toEqual(owned('a'))
  expect(store.list()).toEqual([])
})

it('an index that nobody made is an error, not an empty answer', () =>
  expect(() => createStore({ owner: byOwner }).by('label', 'a')).toThrow('there is no index "label", only owner'))
