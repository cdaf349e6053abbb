import { createHash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { createBackoff } from './backoff.ts'
import type { Client, Request } from './client.ts'
import { withDeadline } from './deadline.ts'
import { ApiError, isConflict, isNotFound } from './errors.ts'
import { createEventSeries, type Series } from './event-series.ts'
import type { KubeObject } from './object.ts'
import { collectionPath, objectPath, type Resource } from './resource.ts'

export type Recorder = (
  regarding: KubeObject,
  event: { type: 'Normal' | 'Warning'; reason: string; action: string; note: string },
) => void

export type Events = {
  /** Never fails and never waits. */
  record: Recorder
  /** Sends what is left, as far as 2 s allow. */
  close: () => Promise<void>
}

const EVENTS: Resource = { group: 'events.k8s.io', version: 'v1', plural: 'events', kind: 'Event' }
const LOOK_MS = 60_000
/** client-go's: what does not fit is dropped, because what reconciles must never wait for what tells about it. */
const MOST_WAITING = 1_000
const MOST_TRIES = 12
const CLOSE_LIMIT_MS = 2_000
/** The API's limits: of a note, and of a name less our hash. */
const LONGEST_NOTE = 1_000
const LONGEST_NAME = 230

type EventObject = KubeObject & { series?: { count: number } }
/** An event as it is created, and what is known of how often it happened. */
type Item = { event: EventObject; series: Series }

/** MicroTime. */
const stamp = (atMs: number): string => new Date(atMs).toISOString().replace('Z', '000Z')

/** What failed for the moment; anything else the API server will answer the same way again. */
const isPassing = (error: unknown): boolean =>
  !(error instanceof ApiError) || error.status === 429 || error.status >= 500

/**
 * Records events as client-go does. The same event again within 6 minutes becomes a series of the first. Its name is
 * made of what it says, so that after a restart too, or when two processes say the same, it is one event.
 * @param failed told of each event that could not be sent
 */
export const createRecorder = (
  client: Client,
  controller: string,
  instance: string,
  failed: (error: Error) => void,
): Events => {
  const series = createEventSeries(Date.now)
  const objects = new WeakMap<Series, EventObject>()
  const waiting = new Set<Item>()
  const closing = new AbortController()
  let sending: Promise<void> | undefined

  const count = ({ event, series: { name, count, before, lastAtMs } }: Item): Request => ({
    method: 'PATCH',
    path: objectPath(EVENTS, event.metadata.namespace ?? '', name),
    body: { series: { count: before + count, lastObservedTime: stamp(lastAtMs) } },
    contentType: 'application/merge-patch+json',
  })

  const create = async (item: Item): Promise<void> => {
    const { namespace = '', name } = item.event.metadata
    try {
      await client.request({ method: 'POST', path: collectionPath(EVENTS, namespace), body: item.event })
    } catch (error) {
      if (!isConflict(error)) throw error
      // It happened before this process began, or before a series was over.
      const live = await client.request<EventObject>({ method: 'GET', path: objectPath(EVENTS, namespace, name) })
      item.series.before = live.series?.count ?? 1
      await client.request(count(item))
    }
  }

  const send = async (item: Item): Promise<void> => {
    if (item.series.sent.count === 1) return create(item)
    await client.request(count(item)).catch((error) => {
      // The API server keeps events for an hour.
      if (!isNotFound(error)) throw error
      return create(item)
    })
  }

  const sendAll = async (): Promise<void> => {
    for (const item of waiting) {
      waiting.delete(item)
      const backoff = createBackoff(() => performance.now(), Math.random)
      for (let tries = 1; ; tries++) {
        const error = await send(item).then(
          () => undefined,
          (error: Error) => error,
        )
        if (error === undefined) break
        if (!isPassing(error) || tries === MOST_TRIES || closing.signal.aborted) {
          failed(error)
          break
        }
        await delay(backoff.nextMs(), undefined, { signal: closing.signal }).catch(() => undefined)
      }
    }
    sending = undefined
  }

  const enqueue = (happened: Series): void => {
    const event = objects.get(happened)
    if (event === undefined) return
    if (waiting.size >= MOST_WAITING) {
      failed(new Error(`${MOST_WAITING} events wait: one is dropped`))
      return
    }
    waiting.add({ event, series: happened })
    // The reconcile that tells of something may be over, or out of time, before it is sent.
    sending ??= withDeadline(closing.signal, sendAll)
  }

  const timer = setInterval(() => series.due().forEach(enqueue), LOOK_MS).unref()

  return {
    record: (regarding, { type, reason, action, note }) => {
      const { name, namespace = 'default', uid = '' } = regarding.metadata
      const key = [controller, uid, type, reason, action, note].join('\n')
      const hash = createHash('sha256').update(key).digest('hex').slice(0, 16)
      const { what, series: happened } = series.happened(key, uid, `${name.slice(0, LONGEST_NAME)}.${hash}`)
      if (happened === undefined) return
      if (what === 'first')
        objects.set(happened, {
          apiVersion: 'events.k8s.io/v1',
          kind: 'Event',
          metadata: { name: happened.name, namespace },
          eventTime: stamp(happened.firstAtMs),
          reportingController: controller,
          reportingInstance: instance,
          action,
          reason,
          type,
          note: note.slice(0, LONGEST_NOTE),
          regarding: { apiVersion: regarding.apiVersion, kind: regarding.kind, name, namespace, uid },
        })
      if (what !== 'counted') enqueue(happened)
    },
    close: async () => {
      clearInterval(timer)
      for (const unsent of series.unsent()) {
        unsent.sent = { count: unsent.count, atMs: Date.now() }
        enqueue(unsent)
      }
      const late = setTimeout(() => closing.abort(), CLOSE_LIMIT_MS)
      await sending
      clearTimeout(late)
    },
  }
}
