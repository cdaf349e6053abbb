import { type Client, isForbidden, isNotFound } from '#kit/client.ts'
import { type Change, type ReflectOptions, type Reflector, reflect } from '#kit/reflector.ts'
import type { Resource } from '#kit/resource.ts'

/** Kinds of one API group and version that a cluster may lack, gain and lose. */
export type OptionalKinds<Kind extends string> = {
  /** Those that the cluster had half a minute ago at the latest. */
  served: () => Promise<ReadonlySet<Kind>>
  /** The caches of a kind, one for each namespace that is watched; followed from the first time that they are asked for. */
  follow: (kind: Kind) => Reflector[]
  /** Whether everything that is there of a kind is in its caches, or may not be listed, so that nobody can say. */
  isRead: (kind: Kind) => boolean
  /** The kind has left the cluster; until it is back there is nothing to follow. */
  giveUp: (kind: Kind) => void
  close: () => Promise<void>
}

const DISCOVERY_MS = 30_000

/**
 * A kind is followed from when somebody first asks for it, and given up when it is gone.
 * @param resources all of one group and version
 * @param changed told of each change
 * @param failed told what goes wrong, but for a kind that is gone
 */
export const createOptionalKinds = <Kind extends string>(
  client: Client,
  resources: Readonly<Record<Kind, Resource>>,
  namespaces: string[],
  options: ReflectOptions,
  changed: (change: Change, kind: Kind) => void,
  failed: (error: Error) => void,
): OptionalKinds<Kind> => {
  const kinds = Object.keys(resources) as Kind[]
  const followed = new Map<Kind, Reflector[]>()
  /** Kinds that may not be listed. */
  const unseen = new Set<Kind>()
  let known: { atMs: number; kinds: Promise<Set<Kind>> } | undefined

  const discover = async (): Promise<Set<Kind>> => {
    const { group, version } = resources[kinds[0] as Kind]
    const list = await client
      .request<{ resources: { name: string }[] }>({ method: 'GET', path: `/apis/${group}/${version}` })
      .catch((error) => {
        if (isNotFound(error)) return { resources: [] }
        throw error
      })
    const plurals = new Set(list.resources.map(({ name }) => name))
    return new Set(kinds.filter((kind) => plurals.has(resources[kind].plural)))
  }

  const giveUp = (kind: Kind): void => {
    for (const reflector of followed.get(kind) ?? []) void reflector.close()
    followed.delete(kind)
    unseen.delete(kind)
    known = undefined
  }

  return {
    served: () => {
      if (known !== undefined && Date.now() - known.atMs < DISCOVERY_MS) return known.kinds
      const asked = { atMs: Date.now(), kinds: discover() }
      known = asked
      asked.kinds.catch(() => {
        if (known === asked) known = undefined
      })
      return asked.kinds
    },
    follow: (kind) => {
      const scopes = namespaces.length === 0 ? [{}] : namespaces.map((namespace) => ({ namespace }))
      const reflectors =
        followed.get(kind) ??
        scopes.map((scope) =>
          reflect(
            client,
            resources[kind],
            { ...options, ...scope },
            (change) => changed(change, kind),
            (error) => {
              if (isNotFound(error)) return giveUp(kind)
              if (isForbidden(error)) unseen.add(kind)
              failed(error)
            },
          ),
        )
      followed.set(kind, reflectors)
      return reflectors
    },
    isRead: (kind) => unseen.has(kind) || (followed.get(kind)?.every((reflector) => reflector.synced()) ?? false),
    giveUp,
    close: async () => {
      await Promise.all([...followed.values()].flat().map((reflector) => reflector.close()))
    },
  }
}
