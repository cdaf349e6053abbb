import { Router } from 'express'
import type { Redis } from 'ioredis'
import { ObjectId } from 'mongodb'
import { DEVICE_ID, MESSAGE_ID } from '#contract/ids.ts'
import { lifecycleOfMessage, lifecycleOfSignal } from '#runtime/lifecycle.ts'
import type { Store } from '#runtime/signal-store.ts'
import { toLifecycleJson } from './lifecycle-json.ts'
import { Refusal } from './refusal.ts'

/** A device from the query; no other parameter is known. */
const deviceOf = (query: object): string | undefined => {
  const [unknown] = Object.keys(query).filter((name) => name !== 'deviceId')
  if (unknown !== undefined)
    throw new Refusal('invalid_parameter', {
      detail: `${unknown}: expected "deviceId" or no parameter`,
      errors: [{ parameter: unknown, detail: 'unknown' }],
    })
  const { deviceId } = query as { deviceId?: unknown }
  if (deviceId === undefined) return undefined
  if (typeof deviceId === 'string' && DEVICE_ID.test(deviceId)) return deviceId
  throw new Refusal('invalid_parameter', {
    detail: 'deviceId: expected 24 lower-case hex digits, once',
    errors: [{ parameter: 'deviceId', detail: 'expected 24 lower-case hex digits' }],
  })
}

/** `/api/signals/{id}/trace`: what became of a message, by the id of its signal or by its own. */
export const lifecycleRoutes = (store: Store, redis: Redis): Router => {
  const routes = Router()
  routes.get('/:id/trace', async (request, response) => {
    const { id } = request.params
    const deviceId = deviceOf(request.query)
    const byMessage = MESSAGE_ID.test(id)
    if (!byMessage && !/^[0-9a-f]{24}$/.test(id))
      throw new Refusal('malformed', {
        detail: `id: expected 24 hex digits of a signal or 32 of a message, got "${id.slice(0, 60)}"`,
      })
    const lifecycle = byMessage
      ? await lifecycleOfMessage(store, redis, id, deviceId)
      : await lifecycleOfSignal(store, new ObjectId(id))
    if (lifecycle === undefined)
      throw new Refusal('not_found', {
        detail: byMessage
          ? 'no signal and no dead letter has this message id: it waits in a queue, or was never accepted'
          : 'no signal has this id',
      })
    response.set('cache-control', 'private, no-cache').json(toLifecycleJson(lifecycle))
  })
  return routes
}
