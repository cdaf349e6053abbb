import { equalsHex, hmacSha256Hex } from './digest.ts'

/** The default signing scheme of devices. */
export const SCHEME = 'XRAY1-HMAC-SHA256'

/** How far a device's clock may be from ours, either way, in seconds. */
export const MAX_SKEW_SECONDS = 300

// 16 to 32 bytes in base64url without padding are 22 to 43 characters; 1 mod 4 is no length of base64.
const NONCE = /^[A-Za-z0-9_-]{22,43}$/

/** True for 16 to 32 bytes as unpadded base64url. */
export const isNonce = (value: string): boolean => NONCE.test(value) && value.length % 4 !== 1

/** What a device signs. `path` has no query; the query must be empty. */
export type SignedRequest = {
  method: string
  path: string
  deviceId: string
  keyId: string
  timestampSeconds: number | string
  nonce: string
  bodySha256Hex: string
}

const canonicalRequest = (request: SignedRequest): string =>
  [
    SCHEME,
    request.method,
    request.path,
    request.deviceId,
    request.keyId,
    request.timestampSeconds,
    request.nonce,
    request.bodySha256Hex,
  ].join('\n')

/** The signature's 32 bytes. The header carries them as `v1=<hex>`. */
export const signRequest = (deviceKey: Uint8Array, request: SignedRequest): Buffer =>
  Buffer.from(hmacSha256Hex(deviceKey, canonicalRequest(request)), 'hex')

/**
 * True when one of the received signatures is the key's. Every one is compared, so that the time taken does not say
 * which of them matched.
 * @param signatures the hex parts of `X-Signature: v1=<hex>[,v1=<hex>]`
 */
export const verifiesRequest = (
  deviceKey: Uint8Array,
  request: SignedRequest,
  signatures: readonly string[],
): boolean => {
  const computedHex = hmacSha256Hex(deviceKey, canonicalRequest(request))
  return signatures.map((hex) => equalsHex(computedHex, hex)).includes(true)
}
