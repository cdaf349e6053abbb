import { createSecretKey, hkdfSync } from 'node:crypto'

/** The form of a key id: it stands in a header, in a file name and in the key's derivation. */
export const KEY_ID = /^[A-Za-z0-9._-]{1,32}$/

/**
 * The 32-byte key of one device, derived from the pipeline's master key (RFC 5869), so that a producer needs no
 * store to verify: `HKDF-SHA256(master, salt "xray-device-v1", info "<deviceId>|<keyId>")`.
 */
export const deriveDeviceKey = (master: Uint8Array, deviceId: string, keyId: string): Buffer =>
  Buffer.from(hkdfSync('sha256', createSecretKey(master), 'xray-device-v1', `${deviceId}|${keyId}`, 32))
