import { setTimeout as delay } from 'node:timers/promises'
import { createBackoff } from './backoff.ts'
import { type Client, METADATA_LIST_ONLY, METADATA_ONLY } from './client.ts'
import { withDeadline } from './deadline.ts'
import { ApiError, errorOfStatus, isExpired } from './errors.ts'
import type { Expectations } from './expectations.ts'
import { deepFreeze } from './freeze.ts'
import type { KubeObject, Status } from './object.ts'
import { createPace } from './pace.ts'
import { apiVersionOf, collectionPath, keyOf, pathOfKey, type Resource } from './resource.ts'
import { createStore, type Indexer } from './store.ts'

export type Change = {
  key: string
  before: KubeObject | undefined
  after: KubeObject | undefined
  /** Part of the first list: it may have been so for long. */
  initial: boolean
  /** Its deletion was not seen, only that it is gone: `before` need not be its last state. */
  unseen: boolean
}

/** A cache of one kind of object that follows the API server. What it hands out must not be changed. */
export type Reflector = {
  get: (key: string) => KubeObject | undefined
  list: () => KubeObject[]
  /** The objects of which an indexer named this value. */
  by: (index: string, value: string) => KubeObject[]
  /** True once the first list is in. */
  synced: () => boolean
  /** Ends it for good: nothing is told any more, nothing is asked any more. */
  close: () => Promise<void>
}

export type ReflectOptions = {
  namespace?: string
  labelSelector?: string
  /** Keeps `metadata` only, and is sent no more. */
  metadataOnly?: boolean
  indexers?: Record<string, Indexer>
  /** Told what the cache has come to show. */
  expectations?: Expectations
  /** Makes of each object what is to be kept of it, such as createSharing does; `managedFields` are gone already. */
  transform?: (object: KubeObject, before: KubeObject | undefined) => KubeObject
  /** Freezes what is kept, so that a test finds who changes it. */
  frozen?: boolean
}

/** A page of 250 Deployments is parsed in some 15 ms; client-go's 500 take twice that. */
const PAGE = '250'
/** Bookmarks come about once a minute; twice that in silence is a dead connection. */
const IDLE_MS = 150_000
/** client-go's: a watch that ends sooner and told nothing is a fault, and must not be asked for in a loop. */
const SHORTEST_WATCH_MS = 1_000

const NUMBER = /^[1-9]\d{0,14}$/

/**
 * True when a version is known to be older than another. Those of one resource are numbers that grow, which Kubernetes
 * guarantees since 1.35 (KEP-5504); what an aggregated API server has otherwise is not compared.
 */
const isBefore = (version: string, other: string): boolean =>
  NUMBER.test(version) && NUMBER.test(other) && Number(version) < Number(other)

type Page = { metadata: { resourceVersion: string; continue?: string }; items: KubeObject[] }

/**
 * Lists in pages, then watches from the list's version with bookmarks. When a watch ends, however it ends, it goes on
 * from the last version seen; only when the server cannot go on from there does it list again, and what has vanished
 * meanwhile is told as deleted. Lists are always up to date (no resourceVersion), so the cache never goes back in time.
 * An object that was made anew is told as a deletion and a creation. A handler that throws is told to `failed` and
 * stops nothing.
 */
export const reflect = (
  client: Client,
  resource: Resource,
  options: ReflectOptions,
  changed: (change: Change) => void,
  failed: (error: Error) => void,
): Reflector => {
  const store = createStore(options.indexers ?? {})
  const stopping = new AbortController()
  const { signal } = stopping
  const { metadataOnly = false, transform = (object) => object, frozen = false, labelSelector } = options
  const path = collectionPath(resource, options.namespace)
  const selector: Record<string, string> = labelSelector === undefined ? {} : { labelSelector }
  const backoff = createBackoff(() => performance.now(), Math.random)
  let synced = false

  /** List items come without apiVersion and kind; a watched object has them. */
  const toKept = (object: KubeObject, before: KubeObject | undefined): KubeObject => {
    const { managedFields: _, ...metadata } = object.metadata
    const kept = transform({ ...object, apiVersion: apiVersionOf(resource), kind: resource.kind, metadata }, before)
    return frozen ? deepFreeze(kept) : kept
  }

  const tell = (change: Omit<Change, 'initial'>): void => {
    const object = change.after ?? change.before
    if (signal.aborted || object === undefined) return
    options.expectations?.observed(pathOfKey(resource, change.key), object, change.after === undefined)
    try {
      changed({ ...change, initial: !synced })
    } catch (error) {
      failed(error as Error)
    }
  }

  const set = (object: KubeObject): void => {
    const key = keyOf(object)
    const before = store.get(key)
    const after = toKept(object, before)
    store.set(key, after)
    const remade = before !== undefined && before.metadata.uid !== after.metadata.uid
    if (remade) tell({ key, before, after: undefined, unseen: true })
    tell({ key, before: remade ? undefined : before, after, unseen: false })
  }

  const remove = (key: string, unseen: boolean): void =>
    tell({ key, before: store.set(key, undefined), after: undefined, unseen })

  /** Reads a list to its end. @returns its version. @throws ApiError when its pages expire before they are read */
  const readList = async (pages: Record<string, string>): Promise<string> => {
    const [seen, pace] = [new Set<string>(), createPace()]
    let [version, next] = ['', '']
    do {
      const query = { ...selector, ...pages, ...(next !== '' && { continue: next }) }
      const page = await client.request<Page>({
        method: 'GET',
        path,
        query,
        ...(metadataOnly && { accept: METADATA_LIST_ONLY }),
      })
      signal.throwIfAborted()
      for (const item of page.items) {
        const key = keyOf(item)
        seen.add(key)
        if (store.get(key)?.metadata.resourceVersion !== item.metadata.resourceVersion) set(item)
        await pace()
      }
      version = page.metadata.resourceVersion
      next = page.metadata.continue ?? ''
    } while (next !== '')
    for (const key of store.keys()) if (!seen.has(key)) remove(key, true)
    return version
  }

  /** A list that is longer than the server keeps its pages is read again from its start, and then in one piece. */
  const relist = async (): Promise<string> => {
    const again = (error: unknown): void => {
      if (!isExpired(error)) throw error
    }
    const version =
      (await readList({ limit: PAGE }).catch(again)) ??
      (await readList({ limit: PAGE }).catch(again)) ??
      (await readList({}))
    synced = true
    return version
  }

  /** Follows from a version until the server ends the watch. */
  const follow = async (resourceVersion: string, progress: (version: string) => void): Promise<void> => {
    const [startedAt, pace] = [performance.now(), createPace()]
    // Each at another time, so that the watches of all do not end at once.
    const timeoutSeconds = String(300 + Math.floor(Math.random() * 300))
    const query = { ...selector, resourceVersion, allowWatchBookmarks: 'true', timeoutSeconds }
    let [lines, seen] = [0, resourceVersion]
    const accept = metadataOnly && { accept: METADATA_ONLY }
    for await (const { type, object } of client.watch({ path, query, idleMs: IDLE_MS, signal, ...accept })) {
      lines++
      if (type === 'ERROR') throw errorOfStatus(object as unknown as Status)
      const { resourceVersion: told } = object.metadata
      if (told !== undefined && isBefore(told, seen)) continue
      if (type === 'DELETED') remove(keyOf(object), false)
      else if (type !== 'BOOKMARK') set(object)
      if (told !== undefined) {
        seen = told
        progress(told)
      }
      await pace()
    }
    if (lines === 0 && performance.now() - startedAt < SHORTEST_WATCH_MS && !signal.aborted)
      throw new Error(`a watch of ${resource.plural} ended at once`)
  }

  const run = async (): Promise<void> => {
    let version: string | undefined
    while (!signal.aborted) {
      try {
        version ??= await relist()
        await follow(version, (seen) => {
          version = seen
        })
      } catch (error) {
        if (signal.aborted) return
        if (isExpired(error)) version = undefined
        else failed(error as Error)
        const asksMs = error instanceof ApiError ? (error.retryAfterMs ?? 0) : 0
        await delay(Math.max(asksMs, backoff.nextMs()), undefined, { signal }).catch(() => undefined)
      }
    }
  }
  const running = withDeadline(signal, run)

  return {
    get: store.get,
    list: store.list,
    by: store.by,
    synced: () => synced,
    close: async () => {
      stopping.abort()
      await running
    },
  }
}
