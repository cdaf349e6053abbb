import { createHash } from 'node:crypto'
import { type Client, isNotFound, type KubeObject } from './client.ts'
import { keyOf, objectPath, type Resource } from './resource.ts'

export type Applier = {
  /**
   * Server-side apply of what we own of an object; skipped when it is known to change nothing.
   * @returns the object as it is now, which a cache may learn only later
   */
  apply: (resource: Resource, intent: KubeObject, live: KubeObject | undefined) => Promise<KubeObject>
  /** Deletes exactly the object with this uid; one that is gone already is fine. */
  remove: (resource: Resource, object: KubeObject) => Promise<void>
}

export type ApplierMetrics = { applied: (result: 'sent' | 'skipped') => void }

/**
 * Applies with one field manager. The call is skipped when the same intent was applied before and the live object has
 * not changed since (Cluster API's rule): a steady state costs no request.
 */
export const createApplier = (client: Client, fieldManager: string): Applier => {
  const settled = new Map<string, string>()
  return {
    apply: async (resource, intent, live) => {
      const key = `${resource.plural}/${keyOf(intent)}`
      const hash = createHash('sha256').update(JSON.stringify(intent)).digest('hex')
      if (live !== undefined && settled.get(key) === `${hash} ${live.metadata.uid} ${live.metadata.resourceVersion}`)
        return live
      const applied = await client.request<KubeObject>({
        method: 'PATCH',
        path: objectPath(resource, intent.metadata.namespace ?? '', intent.metadata.name),
        query: { fieldManager, force: 'true', fieldValidation: 'Strict' },
        contentType: 'application/apply-patch+yaml',
        body: intent,
      })
      settled.set(key, `${hash} ${applied.metadata.uid} ${applied.metadata.resourceVersion}`)
      return applied
    },
    remove: async (resource, { metadata }) => {
      const path = objectPath(resource, metadata.namespace ?? '', metadata.name)
      const body = { preconditions: { uid: metadata.uid }, propagationPolicy: 'Background' }
      await client.request({ method: 'DELETE', path, body }).catch((error) => {
        if (!isNotFound(error)) throw error
      })
    },
  }
}
