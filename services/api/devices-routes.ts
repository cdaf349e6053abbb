import { type Request, type Response, Router } from 'express'
import { readDerivedKeyId } from '#contract/device-key.ts'
import {
  type Change,
  type Device,
  type DeviceKey,
  impliedDevice,
  nextDerivedKeyId,
  nextImportedKeyId,
  revokeKey,
  rotateKey,
} from '#contract/device-registry.ts'
import { sealSecret } from '#contract/device-secret.ts'
import { DEVICE_ID } from '#contract/ids.ts'
import type { DeviceRegistry, Registered } from '#runtime/device-registry.ts'
import { toDeviceJson, toDevicePage } from './device-representation.ts'
import {
  type RequestFault,
  type RotateRequest,
  readDeviceChange,
  readDevicesQuery,
  readRotateRequest,
} from './device-requests.ts'
import { bodyOf, readJson } from './json-body.ts'
import { onlyGet, onlyMethods, Refusal } from './refusal.ts'

export type DevicesContext = {
  registry: DeviceRegistry
  /** The master keys, the newest last. */
  masters: () => Map<string, Buffer>
  now: () => number
  /** Random bytes for sealing an imported key. */
  newIv: () => Buffer
}

/** A device has rarely more than a few keys; a page of a hundred devices reads this many uses at most. */
const USES_PER_DEVICE = 8
const MOST_USES_OF_ONE = 100

const idOf = (request: Request): string => {
  const id = String(request.params.id)
  if (!DEVICE_ID.test(id))
    throw new Refusal('malformed', { detail: `id: expected 24 lower-case hex digits, got "${id.slice(0, 60)}"` })
  return id
}

const taken = <T>(read: { ok: true; value: T } | { ok: false; fault: RequestFault }): T => {
  if (read.ok) return read.value
  const { fault } = read
  throw new Refusal(fault.parameter === undefined ? 'malformed' : 'invalid_parameter', {
    detail: fault.pointer === undefined ? fault.detail : `${fault.pointer || 'the body'}: ${fault.detail}`,
    errors: [fault],
  })
}

const newKey = (context: DevicesContext, device: Device, request: RotateRequest): Omit<DeviceKey, 'state'> => {
  const masters = context.masters()
  const [masterId, master] = [...masters].at(-1) ?? []
  if (masterId === undefined || master === undefined)
    throw new Refusal('unavailable', {
      detail: 'no device master key is here; the keys Secret of the pipeline holds them',
    })
  const { secret, notAfterMs, notBeforeMs = context.now() } = request
  if (notAfterMs !== undefined && notAfterMs <= context.now())
    throw new Refusal('malformed', { detail: '/notAfter: expected a time that lies ahead' })
  const times = { notBeforeMs, ...(notAfterMs !== undefined && { notAfterMs }) }
  if (secret !== undefined) {
    const keyId = request.keyId ?? nextImportedKeyId(device)
    const bytes = sealSecret(master, device.deviceId, keyId, secret, context.newIv())
    return { keyId, source: 'imported', sealed: { masterId, bytes }, ...times }
  }
  const keyId = request.keyId ?? nextDerivedKeyId(device, masterId)
  if (!masters.has(readDerivedKeyId(keyId)?.masterId ?? ''))
    throw new Refusal('malformed', {
      detail: `/keyId: expected one of ${[...masters.keys()].join(', ')}, or one of them with .<n> after it`,
    })
  return { keyId, source: 'derived', ...times }
}

/** `/api/devices` and what lies below it: which keys a device may sign with. */
export const devicesRoutes = (context: DevicesContext): Router => {
  const { registry, masters, now } = context
  const routes = Router()
  const implied = (deviceId: string): Device => impliedDevice(deviceId, masters().keys())
  const usesOf = (deviceId: string) => registry.uses(`${deviceId}|`, MOST_USES_OF_ONE, `${deviceId}}`)

  /** Reads, decides and writes, unless somebody wrote between. */
  const change = async (deviceId: string, decide: (device: Device) => Change): Promise<Registered> => {
    const found = await registry.find(deviceId)
    const changed = decide(found ?? implied(deviceId))
    if (!changed.ok) throw new Refusal(changed.code, { detail: changed.detail })
    const saved = await registry.save(changed.device, found?.version ?? 0, now())
    if (saved === undefined)
      throw new Refusal('conflict', { detail: 'somebody else changed the device meanwhile; look at it and try again' })
    return saved
  }

  routes
    .route('/')
    .get(async (request, response) => {
      const { limit, after } = taken(readDevicesQuery(new URL(request.originalUrl, 'http://api').searchParams))
      const mostUses = USES_PER_DEVICE * (limit + 1)
      const [registered, uses] = await Promise.all([
        registry.page(after, limit + 1),
        registry.uses(after === '' ? '' : `${after}}`, mostUses), // "}" comes after the "|" of all its keys
      ])
      const { devices, nextCursor } = toDevicePage(limit, registered, uses, mostUses)
      const next = nextCursor === null ? undefined : `/api/devices?limit=${limit}&cursor=${nextCursor}`
      if (next !== undefined) response.set('link', `<${next}>; rel="next"`)
      response.json({
        data: devices.map((device) => toDeviceJson(device.registered ?? implied(device.deviceId), device.uses, now())),
        pagination: { limit, hasMore: nextCursor !== null, nextCursor },
        links: { self: request.originalUrl, ...(next !== undefined && { next }) },
      })
    })
    .all(onlyGet)

  routes
    .route('/:id')
    .get(async (request, response) => {
      const deviceId = idOf(request)
      const [found, uses] = await Promise.all([registry.find(deviceId), usesOf(deviceId)])
      if (found === undefined && uses.length === 0)
        throw new Refusal('not_found', { detail: 'the device is not registered, and nothing was signed with its keys' })
      response.json(toDeviceJson(found ?? implied(deviceId), uses, now()))
    })
    .put(readJson, async (request: Request, response: Response) => {
      const deviceId = idOf(request)
      const { disabled } = taken(readDeviceChange(bodyOf(request)))
      const saved = await change(deviceId, (device) => ({ ok: true, device: { ...device, disabled } }))
      response.json(toDeviceJson(saved, await usesOf(deviceId), now()))
    })
    .all(onlyMethods('GET', 'HEAD', 'PUT'))

  routes
    .route('/:id/keys')
    .post(readJson, async (request: Request, response: Response) => {
      const deviceId = idOf(request)
      const asked = taken(readRotateRequest(bodyOf(request)))
      const times = { nowMs: now(), retireAfterMs: asked.retireAfterMs }
      const saved = await change(deviceId, (device) => rotateKey(device, newKey(context, device, asked), times))
      const device = toDeviceJson(saved, await usesOf(deviceId), now())
      response.status(201).json({ keyId: saved.keys.at(-1)?.keyId, device })
    })
    .all(onlyMethods('POST'))

  routes
    .route('/:id/keys/:keyId/revoke')
    .post(async (request, response) => {
      const deviceId = idOf(request)
      const saved = await change(deviceId, (device) => revokeKey(device, String(request.params.keyId)))
      response.json(toDeviceJson(saved, await usesOf(deviceId), now()))
    })
    .all(onlyMethods('POST'))

  return routes
}
