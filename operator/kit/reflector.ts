import { setTimeout as delay } from 'node:timers/promises'
import { type Client, isExpired, type KubeObject } from './client.ts'
import { collectionPath, keyOf, type Resource } from './resource.ts'

export type Change = { key: string; before: KubeObject | undefined; after: KubeObject | undefined }

/** A cache of one kind of object that follows the API server. */
export type Reflector = {
  get: (key: string) => KubeObject | undefined
  list: () => KubeObject[]
  /** True once the first list is in. */
  synced: () => boolean
  close: () => Promise<void>
}

const PAGE = '500'
/** Bookmarks come about once a minute; twice that in silence is a dead connection. */
const IDLE_MS = 150_000
const LOWEST_BACKOFF_MS = 800
const HIGHEST_BACKOFF_MS = 30_000

const stripped = (object: KubeObject, resource: Resource): KubeObject => {
  const { managedFields: _, ...metadata } = object.metadata as KubeObject['metadata'] & { managedFields?: unknown }
  // List items come without these two; a watched object has them.
  return {
    ...object,
    apiVersion: object.apiVersion ?? `${resource.group}/${resource.version}`,
    kind: resource.kind,
    metadata,
  }
}

/**
 * Lists in pages, then watches from the list's version with bookmarks. When a watch ends it goes on from the last
 * version seen; only when that is no longer kept does it list again, and what has vanished meanwhile is told as
 * deleted. A handler that throws is told to `failed` and stops nothing.
 */
export const reflect = (
  client: Client,
  resource: Resource,
  options: { namespace?: string; labelSelector?: string },
  changed: (change: Change) => void,
  failed: (error: Error) => void,
): Reflector => {
  const objects = new Map<string, KubeObject>()
  const stopping = new AbortController()
  const { signal } = stopping
  const path = collectionPath(resource, options.namespace)
  const selector: Record<string, string> =
    options.labelSelector === undefined ? {} : { labelSelector: options.labelSelector }
  let synced = false

  const set = (key: string, after: KubeObject | undefined): void => {
    const before = objects.get(key)
    if (after === undefined) objects.delete(key)
    else objects.set(key, after)
    if (signal.aborted || (before === undefined && after === undefined)) return
    try {
      changed({ key, before, after })
    } catch (error) {
      failed(error as Error)
    }
  }

  const relist = async (): Promise<string> => {
    const seen = new Set<string>()
    let version = ''
    let next = ''
    do {
      const query = { ...selector, limit: PAGE, ...(next !== '' && { continue: next }) }
      const page = await client.request<{
        metadata: { resourceVersion: string; continue?: string }
        items: KubeObject[]
      }>({ method: 'GET', path, query })
      for (const item of page.items) {
        const object = stripped(item, resource)
        seen.add(keyOf(object))
        if (objects.get(keyOf(object))?.metadata.resourceVersion !== object.metadata.resourceVersion)
          set(keyOf(object), object)
      }
      version = page.metadata.resourceVersion
      next = page.metadata.continue ?? ''
    } while (next !== '' && !signal.aborted)
    for (const key of objects.keys()) if (!seen.has(key)) set(key, undefined)
    synced = true
    return version
  }

  /** Follows from a version; returns the last one seen when the server ends the watch. */
  const follow = async (from: string, progress: (version: string) => void): Promise<void> => {
    const timeoutSeconds = String(300 + Math.floor(Math.random() * 300))
    const query = { ...selector, resourceVersion: from, allowWatchBookmarks: 'true', timeoutSeconds }
    for await (const { type, object } of client.watch({ path, query, idleMs: IDLE_MS, signal })) {
      if (type === 'ERROR')
        throw Object.assign(new Error('the watch reported an error'), {
          expired: (object as unknown as { code?: number }).code === 410,
        })
      if (type !== 'BOOKMARK') set(keyOf(object), type === 'DELETED' ? undefined : stripped(object, resource))
      if (object.metadata.resourceVersion !== undefined) progress(object.metadata.resourceVersion)
    }
  }

  const running = (async () => {
    let version: string | undefined
    let backoffMs = LOWEST_BACKOFF_MS
    while (!signal.aborted) {
      try {
        version ??= await relist()
        await follow(version, (seen) => {
          version = seen
          backoffMs = LOWEST_BACKOFF_MS
        })
      } catch (error) {
        if (signal.aborted) return
        if (isExpired(error) || (error as { expired?: boolean }).expired) version = undefined
        else failed(error as Error)
        await delay(backoffMs * (1 + Math.random()), undefined, { signal }).catch(() => undefined)
        backoffMs = Math.min(HIGHEST_BACKOFF_MS, backoffMs * 2)
      }
    }
  })()

  return {
    get: (key) => objects.get(key),
    list: () => [...objects.values()],
    synced: () => synced,
    close: async () => {
      stopping.abort()
      await running
    },
  }
}
