import { createSecretKey, hkdfSync } from 'node:crypto'

/** The form of a key id: it stands in a header, in a file name and in the key's derivation. */
export const KEY_ID = /^[A-Za-z0-9._-]{1,32}$/

/** The form of a master key's id: no dot, because a dot sets off the number of a device's own rotation. */
export const MASTER_ID = /^[A-Za-z0-9_-]{1,24}$/

/**
 * The 32-byte key of one device, derived from the pipeline's master key (RFC 5869), so that a producer needs no
 * store to verify: `HKDF-SHA256(master, salt "xray-device-v1", info "<deviceId>|<keyId>")`.
 */
export const deriveDeviceKey = (master: Uint8Array, deviceId: string, keyId: string): Buffer =>
  Buffer.from(hkdfSync('sha256', createSecretKey(master), 'xray-device-v1', `${deviceId}|${keyId}`, 32))

const DERIVED = /^([A-Za-z0-9_-]{1,24})(?:\.([1-9][0-9]{0,5}))?$/

/**
 * What a derived key's id says: `<masterId>`, which every device has, or `<masterId>.<n>`, the n-th key that one device
 * was given from the same master. Undefined for an id that cannot be that of a derived key.
 */
export const readDerivedKeyId = (keyId: string): { masterId: string; number: number } | undefined => {
  const [, masterId, number] = DERIVED.exec(keyId) ?? []
  return masterId === undefined ? undefined : { masterId, number: Number(number ?? 0) }
}

/** Of ids that end in numbers, the higher number last: k9 stands before k10. */
export const byNumber = (a: string, b: string): number => a.length - b.length || (a < b ? -1 : a > b ? 1 : 0)
