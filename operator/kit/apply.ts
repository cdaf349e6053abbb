import { createHash } from 'node:crypto'
import { type Client, METADATA_ONLY } from './client.ts'
import { ApiError, isConflict, isNotFound } from './errors.ts'
import type { Expectations } from './expectations.ts'
import type { KubeObject } from './object.ts'
import { holderOf } from './owners.ts'
import { objectPath, type Resource } from './resource.ts'

export type Applier = {
  /**
   * Server-side apply of what we own of an object; skipped when it is known to change nothing. An intent with a `uid`
   * is for that object only: when it is gone, none is made in its place (409). An intent with a controller takes no
   * name that an object of another has: one that no cache shows is read first.
   * @returns the object as it is now, which a cache may learn only later
   * @throws ApiError 409 NameTaken, whose message says who has the name
   */
  apply: (resource: Resource, intent: KubeObject, live: KubeObject | undefined) => Promise<KubeObject>
  /**
   * Deletes exactly this object, as it is: its uid and its version are preconditions. One that is gone is fine.
   * @throws ApiError 409 when it has changed meanwhile, so that it must be looked at again
   */
  remove: (resource: Resource, object: KubeObject) => Promise<void>
}

export type ApplierMetrics = { applied: (result: 'sent' | 'skipped') => void }

/** What an object was when an intent was applied to it, by path. */
type Settled = { hash: string; uid: string; version: string; generation: number }

/** Some minutes of a busy controller; a controller that compares before it applies needs few. */
const MOST_SETTLED = 10_000
/** Who the API server says owns the fields of an object whose `managedFields` were lost. */
const NOBODY = 'before-first-apply'

const settledOf = (hash: string, { metadata }: KubeObject): Settled => ({
  hash,
  uid: metadata.uid ?? '',
  version: metadata.resourceVersion ?? '',
  generation: metadata.generation ?? 0,
})

/** How API servers say that the object of a name is another one than was meant; their stores word it in two ways. */
const GONE = /UID in (the )?precondition/

/**
 * Applies with one field manager, forced: what it names is its own. The call is skipped when the same intent was applied
 * before and the live object has not changed since (Cluster API's rule), or when the cache does not show yet that it was.
 */
export const createApplier = (
  client: Client,
  fieldManager: string,
  expectations: Expectations,
  metrics: ApplierMetrics,
): Applier => {
  const settled = new Map<string, Settled>()

  const settle = (path: string, entry: Settled): void => {
    settled.delete(path)
    settled.set(path, entry)
    if (settled.size <= MOST_SETTLED) return
    const [oldest] = settled.keys()
    if (oldest !== undefined) settled.delete(oldest)
  }

  /** The object if applying would change nothing of it. */
  const unchanged = (path: string, hash: string, intent: KubeObject, live?: KubeObject): KubeObject | undefined => {
    const last = settled.get(path)
    if (last?.hash !== hash) return undefined
    if (live?.metadata.uid === last.uid && live.metadata.resourceVersion === last.version) {
      settle(path, last)
      return live
    }
    if (expectations.caughtUp(path, live)) return undefined
    const { uid, version: resourceVersion, generation } = last
    return { ...intent, metadata: { ...intent.metadata, uid, resourceVersion, generation } }
  }

  /**
   * API servers have lost `managedFields` (kubernetes#136919). The next apply then shares every field with nobody, and
   * what we leave out later would stay for ever; so nobody's entry goes, and we own what we applied.
   */
  const disown = async (path: string, { metadata }: KubeObject): Promise<KubeObject | undefined> => {
    const index = metadata.managedFields?.findIndex(({ manager }) => manager === NOBODY) ?? -1
    if (index === -1) return undefined
    const body = [
      { op: 'test', path: '/metadata/resourceVersion', value: metadata.resourceVersion },
      { op: 'remove', path: `/metadata/managedFields/${index}` },
    ]
    return client.request({ method: 'PATCH', path, body, contentType: 'application/json-patch+json' })
  }

  /** Forced, an apply would take another's object over, and its deletion with us would take it away. */
  const assertFree = async (path: string, intent: KubeObject): Promise<void> => {
    if (!intent.metadata.ownerReferences?.some(({ controller }) => controller)) return
    try {
      const found = await client.request<KubeObject>({ method: 'GET', path, accept: METADATA_ONLY })
      const holder = holderOf(found, intent, fieldManager)
      if (holder !== undefined) throw new ApiError(409, 'NameTaken', holder)
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }

  return {
    apply: async (resource, intent, live) => {
      const path = objectPath(resource, intent.metadata.namespace ?? '', intent.metadata.name)
      const hash = createHash('sha256').update(JSON.stringify(intent)).digest('base64')
      const same = unchanged(path, hash, intent, live)
      if (same === undefined && live === undefined) await assertFree(path, intent)
      metrics.applied(same === undefined ? 'sent' : 'skipped')
      if (same !== undefined) return same
      const applied = await client.request<KubeObject>({
        method: 'PATCH',
        path,
        query: { fieldManager, force: 'true', fieldValidation: 'Strict' },
        contentType: 'application/apply-patch+yaml',
        body: intent,
      })
      const now = (await disown(path, applied)) ?? applied
      settle(path, settledOf(hash, now))
      return now
    },
    remove: async (resource, { metadata: { name, namespace = '', uid, resourceVersion } }) => {
      const path = objectPath(resource, namespace, name)
      const body = { preconditions: { uid, resourceVersion }, propagationPolicy: 'Background' }
      await client.request({ method: 'DELETE', path, body }).catch((error) => {
        // What has this name now is another object: ours is gone. The server looks at the uid before the version.
        if (isNotFound(error) || (isConflict(error) && GONE.test(error.message))) return
        throw error
      })
      settled.delete(path)
    },
  }
}
