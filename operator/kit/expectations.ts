import type { Client, Request } from './client.ts'
import type { KubeObject } from './object.ts'

/** What this process wrote and its caches may not show yet. */
export type Expectations = {
  wrote: (path: string, object: KubeObject) => void
  removed: (path: string, uid: string) => void
  /** A cache was told of an object, or of its deletion: what came before is seen, even if it is not there any more. */
  observed: (path: string, object: KubeObject, deleted: boolean) => void
  /**
   * True when the cached object shows our last write, or what came after it, or when 30 s have passed: then the cache
   * has lost more than this one event, and waiting is no help.
   */
  caughtUp: (path: string, cached: KubeObject | undefined) => boolean
}

/** client-go's ExpectationsTimeout is 5 min; KubeRay found 30 s to be enough. */
const LIMIT_MS = 30_000

/** True when one version is not older than another; versions of one kind are decimal and may be compared (KEP-5504). */
export const isAtLeast = (version = '', other = ''): boolean =>
  version.length === other.length ? version >= other : version.length > other.length

type Expected = { uid: string; version: string | undefined; atMs: number }

/** Keeps what was written for 30 s, so its size is what a process writes in that time. */
export const createExpectations = (nowMs: () => number): Expectations => {
  const expected = new Map<string, Expected>()
  const expect = (path: string, uid: string, version: string | undefined): void => {
    const atMs = nowMs()
    for (const [old, entry] of expected) {
      if (atMs - entry.atMs < LIMIT_MS) break
      expected.delete(old)
    }
    // Set anew, so that the map stays in the order of time.
    expected.delete(path)
    expected.set(path, { uid, version, atMs })
  }
  const shows = ({ uid, version }: Expected, cached: KubeObject | undefined): boolean => {
    if (version === undefined) return cached?.metadata.uid !== uid || cached.metadata.deletionTimestamp !== undefined
    return cached !== undefined && isAtLeast(cached.metadata.resourceVersion, version)
  }
  return {
    wrote: (path, { metadata }) => expect(path, metadata.uid ?? '', metadata.resourceVersion),
    removed: (path, uid) => expect(path, uid, undefined),
    observed: (path, object, deleted) => {
      const entry = expected.get(path)
      if (entry !== undefined && (deleted ? object.metadata.uid === entry.uid : shows(entry, object)))
        expected.delete(path)
    },
    caughtUp: (path, cached) => {
      const entry = expected.get(path)
      if (entry === undefined) return true
      if (!shows(entry, cached) && nowMs() - entry.atMs < LIMIT_MS) return false
      expected.delete(path)
      return true
    },
  }
}

/** The path of the object that an answer tells of, whether its collection was asked, itself, or a part such as status. */
const pathOf = ({ method, path }: Request, name: string): string => {
  if (method === 'POST') return `${path}/${encodeURIComponent(name)}`
  const own = `/${encodeURIComponent(name)}`
  return path.endsWith(own) ? path : path.slice(0, path.lastIndexOf('/'))
}

/** A client whose every write is expected to be seen in the caches. */
export const expecting = (client: Client, expectations: Expectations): Client => ({
  ...client,
  request: async <T>(request: Request): Promise<T> => {
    const answer = await client.request<T>(request)
    const object = answer as KubeObject | undefined
    const uid = (request.body as { preconditions?: { uid?: string } } | undefined)?.preconditions?.uid
    if (request.method === 'DELETE') {
      if (uid !== undefined) expectations.removed(request.path, uid)
    } else if (request.method !== 'GET' && object?.metadata?.resourceVersion !== undefined)
      expectations.wrote(pathOf(request, object.metadata.name), object)
    return answer
  },
})
