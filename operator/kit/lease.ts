import { setTimeout as delay } from 'node:timers/promises'
import { type Client, isConflict, isNotFound, type KubeObject } from './client.ts'
import { collectionPath, objectPath, type Resource } from './resource.ts'

const LEASES: Resource = { group: 'coordination.k8s.io', version: 'v1', plural: 'leases', kind: 'Lease' }
/** client-go's figures. */
const DURATION_SECONDS = 15
const RENEW_LIMIT_MS = 10_000
const RETRY_MS = 2_000

export type Lease = { isLeader: () => boolean; release: () => Promise<void> }

type Spec = {
  holderIdentity?: string
  leaseDurationSeconds?: number
  acquireTime?: string
  renewTime?: string
  leaseTransitions?: number
}

/**
 * Leads while it holds a Lease. Another holder's lease counts as expired when its record has not changed for its
 * duration by our own monotonic clock; clocks of other machines are never compared. A leader that cannot renew for
 * 10 s is `lost`: its process must end, because another may lead soon.
 */
export const holdLease = (
  client: Client,
  place: { namespace: string; name: string; identity: string },
  gained: () => void,
  lost: (error: Error) => void,
): Lease => {
  const path = objectPath(LEASES, place.namespace, place.name)
  const stopping = new AbortController()
  let leading = false
  let observed = { version: '', at: performance.now() }
  let renewedAt = 0

  const write = (live: KubeObject | undefined, spec: Spec) => {
    const metadata = {
      name: place.name,
      namespace: place.namespace,
      ...(live !== undefined && { resourceVersion: live.metadata.resourceVersion }),
    }
    const body = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec }
    return live === undefined
      ? client.request<KubeObject>({ method: 'POST', path: collectionPath(LEASES, place.namespace), body })
      : client.request<KubeObject>({ method: 'PUT', path, body })
  }

  const attempt = async (): Promise<void> => {
    const live = await client.request<KubeObject>({ method: 'GET', path }).catch((error) => {
      if (isNotFound(error)) return undefined
      throw error
    })
    const spec = (live?.spec ?? {}) as Spec
    if (live !== undefined && live.metadata.resourceVersion !== observed.version)
      observed = { version: live.metadata.resourceVersion ?? '', at: performance.now() }
    const mine = spec.holderIdentity === place.identity
    const held =
      !mine &&
      !!spec.holderIdentity &&
      performance.now() - observed.at < (spec.leaseDurationSeconds ?? DURATION_SECONDS) * 1000
    if (held) return
    const now = new Date().toISOString().replace('Z', '000Z')
    await write(live, {
      holderIdentity: place.identity,
      leaseDurationSeconds: DURATION_SECONDS,
      acquireTime: mine ? (spec.acquireTime ?? now) : now,
      renewTime: now,
      leaseTransitions: (spec.leaseTransitions ?? 0) + (mine ? 0 : 1),
    })
    renewedAt = performance.now()
    if (!leading) gained()
    leading = true
  }

  const running = (async () => {
    while (!stopping.signal.aborted) {
      await attempt().catch((error: Error) => {
        if (leading && (isConflict(error) || performance.now() - renewedAt > RENEW_LIMIT_MS)) {
          leading = false
          lost(error)
        }
      })
      await delay(RETRY_MS, undefined, { signal: stopping.signal }).catch(() => undefined)
    }
  })()

  return {
    isLeader: () => leading,
    release: async () => {
      stopping.abort()
      await running
      if (!leading) return
      leading = false
      const live = await client.request<KubeObject>({ method: 'GET', path })
      if ((live.spec as Spec).holderIdentity === place.identity)
        await write(live, { ...(live.spec as Spec), holderIdentity: '', leaseDurationSeconds: 1 })
    },
  }
}
