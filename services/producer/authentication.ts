import { readDerivedKeyId } from '#contract/device-key.ts'
import { type DeviceKey, type KeyState, mayVerify } from '#contract/device-registry.ts'
import { openSecret } from '#contract/device-secret.ts'
import type { ProblemCode } from '#contract/problem.ts'
import { type RequestHeaders, verifiesHeaders } from '#contract/request-headers.ts'
import { MAX_SKEW_SECONDS } from '#contract/request-signature.ts'
import type { DerivedKeys } from '#runtime/derived-keys.ts'
import type { Registered } from '#runtime/device-registry.ts'

export type Refusal = { code: ProblemCode; detail: string }

/** Who a request is from, as far as its signature shows. */
export type Authentication = { ok: true; keyState: KeyState } | { ok: false; refusal: Refusal }

/** One text for every cause: a stranger learns nothing about which device exists or which key is right. */
const UNAUTHENTICATED: Authentication = {
  ok: false,
  refusal: { code: 'unauthenticated', detail: 'the signature does not verify with a key of this device' },
}

const DISABLED: Authentication = {
  ok: false,
  refusal: { code: 'device_disabled', detail: 'the device is disabled; whoever looks after it can enable it' },
}

/** True when the request was signed too long ago, or too far ahead. */
export const isSkewed = (timestampSeconds: number, nowMs: number): boolean =>
  Math.abs(nowMs / 1000 - timestampSeconds) > MAX_SKEW_SECONDS

/** What is known here of a request's sender. */
export type KnownSender = {
  masters: Map<string, Buffer>
  derivedKeys: DerivedKeys
  /** What the registry knows of the device; undefined when it does not know it. */
  device: Registered | undefined
}

/** The secret that was given to a device, or undefined when it cannot be opened here. */
const importedSecret = (
  { masters }: KnownSender,
  { deviceId, keyId }: RequestHeaders,
  { sealed }: DeviceKey,
): Buffer | undefined => {
  const master = sealed === undefined ? undefined : masters.get(sealed.masterId)
  return master === undefined || sealed === undefined ? undefined : openSecret(master, deviceId, keyId, sealed.bytes)
}

/**
 * Verifies the signature over what was received. A device that the registry does not know has the key of each master;
 * one that it knows has exactly the keys that are listed. A key that does not hold costs the same derivation and HMAC
 * as one that does, so that its refusal takes the same time.
 */
export const authenticate = (
  known: KnownSender,
  headers: RequestHeaders,
  request: { method: string; path: string; bodySha256Hex: string },
  nowMs: number,
): Authentication => {
  const { device, derivedKeys, masters } = known
  const { deviceId, keyId } = headers
  const verifies = (key: Buffer): boolean => verifiesHeaders(key, headers, request)
  const listed = device?.keys.find((key) => key.keyId === keyId)
  const holds = device === undefined || (listed !== undefined && mayVerify(listed, nowMs))
  const secret = holds && listed?.source === 'imported' ? importedSecret(known, headers, listed) : undefined
  const masterId = listed === undefined ? keyId : readDerivedKeyId(keyId)?.masterId
  const master = holds && listed?.source !== 'imported' ? masters.get(masterId ?? '') : undefined
  const verified = secret === undefined ? derivedKeys.verify(master, deviceId, keyId, verifies) : verifies(secret)
  if (!verified) return UNAUTHENTICATED
  return device?.disabled === true ? DISABLED : { ok: true, keyState: listed?.state ?? 'active' }
}
