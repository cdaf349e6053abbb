import { deriveDeviceKey } from '#contract/device-key.ts'
import type { ProblemCode } from '#contract/problem.ts'
import type { RequestHeaders } from '#contract/request-headers.ts'
import { MAX_SKEW_SECONDS, verifiesRequest } from '#contract/request-signature.ts'

export type Refusal = { code: ProblemCode; detail: string }

/** One text for every cause: a stranger learns nothing about which device exists or which key is right. */
const UNAUTHENTICATED: Refusal = {
  code: 'unauthenticated',
  detail: 'the signature does not verify with a key of this device',
}

/** True when the request was signed too long ago, or too far ahead. */
export const isSkewed = (timestampSeconds: number, nowMs: number): boolean =>
  Math.abs(nowMs / 1000 - timestampSeconds) > MAX_SKEW_SECONDS

// An unknown key costs the same derivation and HMAC as a known one, so that its refusal takes the same time.
const NOBODY = Buffer.alloc(32)

/**
 * Verifies the signature over what was received.
 * @returns why the request is refused, or undefined
 */
export const authenticate = (
  masters: Map<string, Buffer>,
  headers: RequestHeaders,
  request: { method: string; path: string; bodySha256Hex: string },
): Refusal | undefined => {
  const master = masters.get(headers.keyId)
  const deviceKey = deriveDeviceKey(master ?? NOBODY, headers.deviceId, headers.keyId)
  const signed = {
    ...request,
    deviceId: headers.deviceId,
    keyId: headers.keyId,
    timestampSeconds: headers.timestamp,
    nonce: headers.nonce,
  }
  const verified = verifiesRequest(deviceKey, signed, headers.signatures)
  return verified && master !== undefined ? undefined : UNAUTHENTICATED
}
