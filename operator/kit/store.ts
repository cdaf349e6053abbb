import type { KubeObject } from './object.ts'

/** Objects by key, and by what the indexers say of them. */
export type Store = {
  get: (key: string) => KubeObject | undefined
  list: () => KubeObject[]
  keys: () => string[]
  /** The objects of which an indexer named this value. @throws Error when there is no such indexer */
  by: (index: string, value: string) => KubeObject[]
  /** @returns what was there before */
  set: (key: string, object: KubeObject | undefined) => KubeObject | undefined
}

/** Says under which values an object is to be found. */
export type Indexer = (object: KubeObject) => string[]

/** Under the uid of each of its owners. */
export const byOwner: Indexer = ({ metadata }) => metadata.ownerReferences?.map(({ uid }) => uid) ?? []

export const createStore = (indexers: Record<string, Indexer>): Store => {
  const objects = new Map<string, KubeObject>()
  const indexes = new Map(
    Object.entries(indexers).map(([name, valuesOf]) => [name, { valuesOf, keys: new Map<string, Set<string>>() }]),
  )

  const index = (key: string, before: KubeObject | undefined, after: KubeObject | undefined): void => {
    for (const { valuesOf, keys } of indexes.values()) {
      const [former, now] = [before ? valuesOf(before) : [], after ? valuesOf(after) : []]
      for (const value of former) {
        if (now.includes(value)) continue
        const set = keys.get(value)
        set?.delete(key)
        if (set?.size === 0) keys.delete(value)
      }
      for (const value of now) {
        const set = keys.get(value)
        if (set === undefined) keys.set(value, new Set([key]))
        else set.add(key)
      }
    }
  }

  return {
    get: (key) => objects.get(key),
    list: () => [...objects.values()],
    keys: () => [...objects.keys()],
    by: (name, value) => {
      const found = indexes.get(name)
      if (found === undefined) throw new Error(`there is no index "${name}", only ${[...indexes.keys()].join(', ')}`)
      return [...(found.keys.get(value) ?? [])].flatMap((key) => objects.get(key) ?? [])
    },
    set: (key, after) => {
      const before = objects.get(key)
      if (after === undefined) objects.delete(key)
      else objects.set(key, after)
      index(key, before, after)
      return before
    },
  }
}
