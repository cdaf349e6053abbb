import { type Device, isLive } from '#contract/device-registry.ts'
import type { Registered, UseDocument } from '#runtime/device-registry.ts'

const iso = (ms: number | undefined): string | null =>
  ms === undefined || ms === 0 ? null : new Date(ms).toISOString()

/**
 * A device as its keepers see it; secrets are never shown.
 * @param device as the registry has it, or what is implied of one that it does not know
 * @param uses how the device's keys were used, those that it no longer has included
 */
export const toDeviceJson = (device: Device | Registered, uses: UseDocument[], nowMs: number) => {
  const useOf = (keyId: string) => uses.find(({ _id }) => _id === `${device.deviceId}|${keyId}`)
  const lastUsedAt = uses.map((use) => use.lastUsedAt.toISOString()).sort()
  return {
    deviceId: device.deviceId,
    /** False for a device that only has the keys derived from the masters, as every device does. */
    registered: 'version' in device,
    disabled: device.disabled,
    updatedAt: 'updatedAtMs' in device ? iso(device.updatedAtMs) : null,
    lastUsedAt: lastUsedAt.at(-1) ?? null,
    keys: device.keys.map((key) => ({
      keyId: key.keyId,
      source: key.source,
      state: key.state,
      live: isLive(key, nowMs),
      notBefore: iso(key.notBeforeMs),
      notAfter: iso(key.notAfterMs),
      uses: useOf(key.keyId)?.uses ?? 0,
      lastUsedAt: useOf(key.keyId)?.lastUsedAt.toISOString() ?? null,
    })),
  }
}

const deviceIdOf = ({ _id }: UseDocument): string => _id.slice(0, _id.indexOf('|'))

export type DevicePage = {
  devices: { deviceId: string; registered: Registered | undefined; uses: UseDocument[] }[]
  nextCursor: string | null
}

/**
 * One page of all devices that are known: those that the registry lists and those that used a key. Both were read from
 * the same id on and may have been cut off; beyond where the nearer one was cut off nothing is certain, and the next page
 * begins there.
 * @param registered up to `limit` + 1, in the order of ids
 * @param uses up to `mostUses`, in the order of ids
 */
export const toDevicePage = (
  limit: number,
  registered: Registered[],
  uses: UseDocument[],
  mostUses: number,
): DevicePage => {
  const known = new Map(registered.map((device) => [device.deviceId, device]))
  const usesOf = Map.groupBy(uses, deviceIdOf)
  const ids = [...new Set([...known.keys(), ...usesOf.keys()])].sort()
  const last = uses.at(-1)
  const ends = [
    ...(registered.length > limit ? [registered.at(-1)?.deviceId ?? ''] : []),
    ...(last !== undefined && uses.length >= mostUses ? [deviceIdOf(last)] : []),
  ]
  const certain = ids.filter((id) => ends.every((end) => id < end))
  // A device with more uses than are read at once is shown with those that were read: the next page must move on.
  const page = (certain.length > 0 ? certain : ids.slice(0, 1)).slice(0, limit)
  return {
    devices: page.map((deviceId) => ({
      deviceId,
      registered: known.get(deviceId),
      uses: usesOf.get(deviceId) ?? [],
    })),
    nextCursor: ids.length > page.length || ends.length > 0 ? (page.at(-1) ?? null) : null,
  }
}
