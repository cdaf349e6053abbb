import { byNumber, readDerivedKeyId } from './device-key.ts'
import type { SealedSecret } from './device-secret.ts'

export type KeyState = 'active' | 'retiring' | 'revoked'

/** One of a device's keys. Times are ms since the epoch; `notAfterMs` is the first moment at which it is no more. */
export type DeviceKey = {
  keyId: string
  source: 'derived' | 'imported'
  /** Of an imported key only. */
  sealed?: SealedSecret
  notBeforeMs: number
  notAfterMs?: number
  state: KeyState
}

/** A device that the registry knows: exactly the listed keys are its own. */
export type Device = { deviceId: string; disabled: boolean; keys: readonly DeviceKey[] }

/** What became of a wish to change a device. */
export type Change = { ok: true; device: Device } | { ok: false; code: 'not_found' | 'conflict'; detail: string }

const MOST_LIVE = 2
/** Dead keys are kept, for whoever asks what was; beyond this many the oldest are forgotten. */
const MOST_LISTED = 16

/** Neither revoked nor over; it may lie ahead. */
export const isLive = ({ state, notAfterMs }: DeviceKey, nowMs: number): boolean =>
  state !== 'revoked' && (notAfterMs === undefined || nowMs < notAfterMs)

/** True when a signature with this key counts now. */
export const mayVerify = (key: DeviceKey, nowMs: number): boolean => isLive(key, nowMs) && nowMs >= key.notBeforeMs

/** A device that the registry does not know: its keys are those derived from each master key. */
export const impliedDevice = (deviceId: string, masterIds: Iterable<string>): Device => ({
  deviceId,
  disabled: false,
  keys: [...masterIds]
    .sort(byNumber)
    .map((keyId) => ({ keyId, source: 'derived', notBeforeMs: 0, state: 'active' }) as const),
})

/** The highest number that a device's keys of one master bear, revoked ones included; -1 without any. */
const highestNumber = ({ keys }: Device, masterId: string): number =>
  Math.max(
    -1,
    ...keys.flatMap(({ keyId, source }) => {
      const read = source === 'derived' ? readDerivedKeyId(keyId) : undefined
      return read?.masterId === masterId ? [read.number] : []
    }),
  )

/** The id of the device's next derived key: of the newest master, one number above all that it had. */
export const nextDerivedKeyId = (device: Device, masterId: string): string => {
  const number = highestNumber(device, masterId) + 1
  return number === 0 ? masterId : `${masterId}.${number}`
}

/** The id of the device's next imported key: `i1`, `i2` and so on. */
export const nextImportedKeyId = ({ keys }: Device): string =>
  `i${1 + Math.max(0, ...keys.map(({ keyId }) => Number(/^i([1-9][0-9]{0,5})$/.exec(keyId)?.[1] ?? 0)))}`

const kept = (device: Device, nowMs: number): readonly DeviceKey[] => {
  const { keys } = device
  // The highest number of a master stays: without it a revoked key could be given out again under the same id.
  const forgettable = keys.filter((key) => {
    const read = key.source === 'derived' ? readDerivedKeyId(key.keyId) : undefined
    return !isLive(key, nowMs) && (read === undefined || read.number < highestNumber(device, read.masterId))
  })
  const forgotten = new Set(forgettable.slice(0, Math.max(0, keys.length - MOST_LISTED)))
  return keys.filter((key) => !forgotten.has(key))
}

const conflict = (detail: string): Change => ({ ok: false, code: 'conflict', detail })

/**
 * Gives a device a new key, active, and lets its former ones retire: they hold until `retireAfterMs` after the new one
 * begins, or to their own end when that is nearer. A device has at most two live keys, so one that is still changing
 * its key does not get a third.
 */
export const rotateKey = (
  device: Device,
  key: Omit<DeviceKey, 'state'>,
  times: { nowMs: number; retireAfterMs: number },
): Change => {
  const { nowMs, retireAfterMs } = times
  const live = device.keys.filter((candidate) => isLive(candidate, nowMs))
  if (live.length >= MOST_LIVE)
    return conflict(
      `expected fewer than ${MOST_LIVE} live keys, found ${live.map(({ keyId }) => keyId).join(' and ')}: revoke one first`,
    )
  const number = key.source === 'derived' ? readDerivedKeyId(key.keyId) : undefined
  if (
    device.keys.some(({ keyId }) => keyId === key.keyId) ||
    (number !== undefined && number.number <= highestNumber(device, number.masterId))
  )
    return conflict(`expected a key id that the device never had, got "${key.keyId}"`)
  const endMs = Math.max(nowMs, key.notBeforeMs) + retireAfterMs
  const former = device.keys.map((candidate) =>
    isLive(candidate, nowMs)
      ? {
          ...candidate,
          state: 'retiring' as const,
          notAfterMs: Math.min(candidate.notAfterMs ?? Number.MAX_SAFE_INTEGER, endMs),
        }
      : candidate,
  )
  const changed = { ...device, keys: [...former, { ...key, state: 'active' as const }] }
  return { ok: true, device: { ...changed, keys: kept(changed, nowMs) } }
}

/** Takes a key from a device for good. One that is revoked already stays so. */
export const revokeKey = (device: Device, keyId: string): Change => {
  if (!device.keys.some((key) => key.keyId === keyId))
    return { ok: false, code: 'not_found', detail: `the device has no key "${keyId}"` }
  const keys = device.keys.map((key) => (key.keyId === keyId ? { ...key, state: 'revoked' as const } : key))
  return { ok: true, device: { ...device, keys } }
}
