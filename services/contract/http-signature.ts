import { timingSafeEqual } from 'node:crypto'
import { KEY_ID } from './device-key.ts'
import { hmacSha256Hex } from './digest.ts'
import { isNonce } from './request-signature.ts'

/**
 * The second signing profile: RFC 9421 with exactly these components and parameters in this order, and no others.
 * A reader of general structured fields would be a large attack surface for nothing.
 */
export type HttpSignature = { createdSeconds: number; nonce: string; keyId: string; signature: Buffer }

const COMPONENTS = '("@method" "@path" "content-digest" "x-device-id")'
const INPUT =
  /^sig1=(\("@method" "@path" "content-digest" "x-device-id"\);created=([1-9][0-9]{8,10});nonce="([A-Za-z0-9_-]{22,43})";keyid="([^"]{1,32})";alg="hmac-sha256")$/
const SIGNATURE = /^sig1=:([A-Za-z0-9+/]{43}=):$/

/** Reads `Signature-Input` and `Signature`; undefined when either is not of this profile. */
export const readHttpSignature = (signatureInput: string, signature: string): HttpSignature | undefined => {
  const input = INPUT.exec(signatureInput)
  const value = SIGNATURE.exec(signature)?.[1]
  const [, , created, nonce, keyId] = input ?? []
  if (created === undefined || nonce === undefined || keyId === undefined || value === undefined) return undefined
  if (!KEY_ID.test(keyId) || !isNonce(nonce)) return undefined
  return { createdSeconds: Number(created), nonce, keyId, signature: Buffer.from(value, 'base64') }
}

/** The parameters of `Signature-Input: sig1=...` for a new signature. */
export const signatureParams = (createdSeconds: number, nonce: string, keyId: string): string =>
  `${COMPONENTS};created=${createdSeconds};nonce="${nonce}";keyid="${keyId}";alg="hmac-sha256"`

/** What the profile covers of a request: `contentDigest` and `deviceId` as their header lines say. */
export type CoveredRequest = { method: string; path: string; contentDigest: string; deviceId: string }

/** The signature's 32 bytes over the RFC 9421 signature base. */
export const signHttpRequest = (deviceKey: Uint8Array, request: CoveredRequest, params: string): Buffer =>
  Buffer.from(
    hmacSha256Hex(
      deviceKey,
      [
        `"@method": ${request.method}`,
        `"@path": ${request.path}`,
        `"content-digest": ${request.contentDigest}`,
        `"x-device-id": ${request.deviceId}`,
        `"@signature-params": ${params}`,
      ].join('\n'),
    ),
    'hex',
  )

/** True when the signature is the key's; compared in constant time. */
export const verifiesHttpRequest = (
  deviceKey: Uint8Array,
  request: CoveredRequest,
  received: HttpSignature,
): boolean => {
  const params = signatureParams(received.createdSeconds, received.nonce, received.keyId)
  return timingSafeEqual(signHttpRequest(deviceKey, request, params), received.signature)
}
