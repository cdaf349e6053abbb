import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Client } from './client.ts'
import { withDeadline } from './deadline.ts'
import { isConflict, isNotFound } from './errors.ts'
import type { KubeObject } from './object.ts'
import { collectionPath, objectPath, type Resource } from './resource.ts'

export type Lease = {
  /** False as soon as the last renewal is too old, whether or not anybody has noticed: ask right before a write. */
  isLeader: () => boolean
  /** Gives the lease to whoever wants it. Only when everything is finished that a leader alone may do. */
  release: () => Promise<void>
}

export type LeasePlace = {
  namespace: string
  name: string
  /** Who this is, such as the pod's name; what makes it unique is added. */
  identity: string
}

export type LeaseTimes = {
  /** How long others wait for a leader that is silent. */
  durationSeconds: number
  /** How long a leader that cannot renew goes on; shorter than the duration by more than a write takes. */
  renewDeadlineMs: number
  retryMs: number
}

/** `LeaseSpec`; times have microseconds. */
export type LeaseSpec = {
  holderIdentity?: string
  leaseDurationSeconds?: number
  acquireTime?: string
  renewTime?: string
  leaseTransitions?: number
}

const LEASES: Resource = { group: 'coordination.k8s.io', version: 'v1', plural: 'leases', kind: 'Lease' }
/** client-go's figures. */
export const LEASE_TIMES: LeaseTimes = { durationSeconds: 15, renewDeadlineMs: 10_000, retryMs: 2_000 }
/** client-go's: those who wait try at different times. */
const JITTER = 1.2
/** Renewals show that the connection lives; a dead one must be left in time for another try before the deadline. */
const REQUEST_LIMIT_MS = 3_000

/**
 * True when a lease may be taken: nobody's, our own, or of one who has not renewed it for its duration. That is judged
 * by how long ago WE saw it change, never by its times: those are of another machine's clock.
 */
export const isFree = (spec: LeaseSpec, identity: string, unchangedMs: number): boolean =>
  !spec.holderIdentity ||
  spec.holderIdentity === identity ||
  unchangedMs >= (spec.leaseDurationSeconds ?? LEASE_TIMES.durationSeconds) * 1000

/** The lease as held by `identity` from now on. */
export const heldBy = (identity: string, before: LeaseSpec, durationSeconds: number, now: Date): LeaseSpec => {
  const mine = before.holderIdentity === identity
  const stamp = now.toISOString().replace('Z', '000Z')
  return {
    holderIdentity: identity,
    leaseDurationSeconds: durationSeconds,
    acquireTime: mine ? (before.acquireTime ?? stamp) : stamp,
    renewTime: stamp,
    leaseTransitions: (before.leaseTransitions ?? 0) + (mine ? 0 : 1),
  }
}

/**
 * Leads while it holds a Lease, by client-go's rules. One that cannot renew in time, or sees another's name, has
 * `lost`: its process must end, because another may lead now, and whatever it has in mind is the other's.
 */
export const holdLease = (
  client: Client,
  place: LeasePlace,
  gained: () => void,
  lost: (error: Error) => void,
  times: LeaseTimes = LEASE_TIMES,
): Lease => {
  const identity = `${place.identity}_${randomUUID()}`
  const path = objectPath(LEASES, place.namespace, place.name)
  const stopping = new AbortController()
  const limitMs = Math.min(REQUEST_LIMIT_MS, times.renewDeadlineMs / 3)
  let leading = false
  let renewedAtMs = 0
  let known: { lease: KubeObject | undefined; text: string; atMs: number } | undefined
  let deadline: NodeJS.Timeout | undefined

  const lose = (error: Error): void => {
    if (!leading) return
    leading = false
    stopping.abort()
    clearTimeout(deadline)
    lost(error)
  }

  const observe = (lease: KubeObject | undefined): LeaseSpec => {
    const text = JSON.stringify(lease?.spec ?? {})
    known = { lease, text, atMs: known?.text === text ? known.atMs : performance.now() }
    return JSON.parse(text) as LeaseSpec
  }

  const read = (): Promise<KubeObject | undefined> =>
    client.request<KubeObject>({ method: 'GET', path, limitMs }).catch((error) => {
      if (isNotFound(error)) return undefined
      throw error
    })

  const write = (lease: KubeObject | undefined, spec: LeaseSpec): Promise<KubeObject> => {
    const { name, namespace } = place
    const metadata = { ...lease?.metadata, name, namespace }
    const body = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec }
    return lease === undefined
      ? client.request({ method: 'POST', path: collectionPath(LEASES, namespace), body, limitMs })
      : client.request({ method: 'PUT', path, body, limitMs })
  }

  const renew = async (lease: KubeObject | undefined, spec: LeaseSpec): Promise<void> => {
    // From before the write: the others count from when they see it, which is later.
    const sentAtMs = performance.now()
    observe(await write(lease, heldBy(identity, spec, times.durationSeconds, new Date())))
    if (stopping.signal.aborted) return
    renewedAtMs = sentAtMs
    clearTimeout(deadline)
    deadline = setTimeout(
      () => lose(new Error(`the lease could not be renewed for ${times.renewDeadlineMs / 1000} s`)),
      Math.max(0, times.renewDeadlineMs - (performance.now() - sentAtMs)),
    )
    if (leading) return
    leading = true
    gained()
  }

  const attempt = async (): Promise<void> => {
    // A leader knows what it wrote last; only when that has changed must it look.
    if (leading && known !== undefined)
      try {
        return await renew(known.lease, JSON.parse(known.text) as LeaseSpec)
      } catch (error) {
        if (!isConflict(error) && !isNotFound(error)) throw error
      }
    const lease = await read()
    const spec = observe(lease)
    if (isFree(spec, identity, performance.now() - (known?.atMs ?? 0))) await renew(lease, spec)
    else lose(new Error(`the lease is held by ${spec.holderIdentity}`))
  }

  /** A leader whose renewal failed has no time to lose: half of its deadline may be gone. */
  const waitMs = (done: boolean): number => {
    if (!leading) return times.retryMs * (1 + Math.random() * JITTER)
    return done ? times.retryMs : times.retryMs / 4
  }

  const running = (async () => {
    while (!stopping.signal.aborted) {
      const signal = AbortSignal.any([stopping.signal, AbortSignal.timeout(times.renewDeadlineMs / 2)])
      // What goes wrong is tried again; when it goes wrong for too long, the deadline tells.
      const done = await withDeadline(signal, attempt).then(
        () => true,
        () => false,
      )
      await delay(waitMs(done), undefined, { signal: stopping.signal }).catch(() => undefined)
    }
  })()

  return {
    isLeader: () => leading && performance.now() - renewedAtMs < times.renewDeadlineMs,
    release: async () => {
      stopping.abort()
      await running
      clearTimeout(deadline)
      if (!leading) return
      leading = false
      const lease = await read()
      const spec = (lease?.spec ?? {}) as LeaseSpec
      if (spec.holderIdentity !== identity) return
      const now = new Date()
      await write(lease, { ...heldBy(identity, spec, 1, now), holderIdentity: '' })
    },
  }
}
