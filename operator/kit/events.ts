import { createHash } from 'node:crypto'
import type { Client, KubeObject } from './client.ts'
import { collectionPath, objectPath, type Resource } from './resource.ts'

const EVENTS: Resource = { group: 'events.k8s.io', version: 'v1', plural: 'events', kind: 'Event' }
const SERIES_MS = 6 * 60_000

export type Recorder = (
  regarding: KubeObject,
  event: { type: 'Normal' | 'Warning'; reason: string; action: string; note: string },
) => void

/**
 * Records events without ever failing its caller. The same event again within 6 minutes becomes a series of the first,
 * so that a condition that flaps is one event with a count.
 */
export const createRecorder = (
  client: Client,
  controller: string,
  instance: string,
  failed: (error: Error) => void,
): Recorder => {
  const recent = new Map<string, { name: string; count: number; at: number }>()
  return (regarding, { type, reason, action, note }) => {
    const { name, namespace = 'default', uid } = regarding.metadata
    const series = [uid, type, reason, action, note].join('\n')
    const now = new Date().toISOString().replace('Z', '000Z')
    const known = recent.get(series)
    const send = (request: Parameters<Client['request']>[0]) => void client.request(request).catch(failed)
    if (known !== undefined && performance.now() - known.at < SERIES_MS) {
      known.count++
      known.at = performance.now()
      const body = { series: { count: known.count, lastObservedTime: now } }
      return send({
        method: 'PATCH',
        path: objectPath(EVENTS, namespace, known.name),
        body,
        contentType: 'application/merge-patch+json',
      })
    }
    const eventName = `${name}.${createHash('sha256').update(`${series}${now}`).digest('hex').slice(0, 16)}`
    if (recent.size > 4096) recent.clear()
    recent.set(series, { name: eventName, count: 1, at: performance.now() })
    const body = {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { name: eventName, namespace },
      eventTime: now,
      reportingController: controller,
      reportingInstance: instance,
      action,
      reason,
      type,
      note: note.slice(0, 1000),
      regarding: { apiVersion: regarding.apiVersion, kind: regarding.kind, name, namespace, uid },
    }
    send({ method: 'POST', path: collectionPath(EVENTS, namespace), body })
  }
}
