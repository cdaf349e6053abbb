import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto'

/** An imported key as the registry holds it: without the master key that is named, its bytes say nothing. */
export type SealedSecret = { masterId: string; bytes: Uint8Array }

export const SECRET_BYTES = 32
/** AES-GCM's own length of a nonce (NIST SP 800-38D): any other would be hashed first. */
export const IV_BYTES = 12
const TAG_BYTES = 16

// The salt differs from that of device keys, so that no sealing key is ever a device's key.
const sealingKey = (master: Uint8Array): Buffer =>
  Buffer.from(hkdfSync('sha256', master, 'xray-registry-v1', 'device-secret', 32))

/**
 * Seals a device's 32-byte secret by AES-256-GCM. The device and the key id are authenticated with it, so that a sealed
 * secret that is moved to another device or key opens nowhere.
 * @param iv IV_BYTES random bytes, never the same twice
 * @returns iv, ciphertext and tag, one after the other: 60 bytes
 */
export const sealSecret = (
  master: Uint8Array,
  deviceId: string,
  keyId: string,
  secret: Uint8Array,
  iv: Uint8Array,
): Buffer => {
  const cipher = createCipheriv('aes-256-gcm', sealingKey(master), iv).setAAD(Buffer.from(`${deviceId}|${keyId}`))
  return Buffer.concat([iv, cipher.update(secret), cipher.final(), cipher.getAuthTag()])
}

/** Opens what `sealSecret` made; undefined when it was made with another master, for another key, or was changed. */
export const openSecret = (
  master: Uint8Array,
  deviceId: string,
  keyId: string,
  sealed: Uint8Array,
): Buffer | undefined => {
  if (sealed.length !== IV_BYTES + SECRET_BYTES + TAG_BYTES) return undefined
  const tagAt = sealed.length - TAG_BYTES
  const decipher = createDecipheriv('aes-256-gcm', sealingKey(master), sealed.subarray(0, IV_BYTES))
    .setAAD(Buffer.from(`${deviceId}|${keyId}`))
    .setAuthTag(sealed.subarray(tagAt))
  try {
    return Buffer.concat([decipher.update(sealed.subarray(IV_BYTES, tagAt)), decipher.final()])
  } catch {
    return undefined // the tag does not fit
  }
}
