import { deriveDeviceKey } from '#contract/device-key.ts'
import { sha256Hex } from '#contract/digest.ts'
import type { Problem } from '#contract/problem.ts'
import { signRequest } from '#contract/request-signature.ts'
import { type TraceContext, toTraceparent } from '#contract/traceparent.ts'
import { addressOf, call } from './http.ts'

/** A device with its key, as it would be on the device. */
export type Device = { deviceId: string; keyId: string; key: Buffer }

export const deviceFrom = (masterHex: string, deviceId: string, keyId: string): Device => ({
  deviceId,
  keyId,
  key: deriveDeviceKey(Buffer.from(masterHex, 'hex'), deviceId, keyId),
})

const PATH = '/v1/ingest'

/** The headers of a signed request. */
export const signedHeaders = (
  { deviceId, keyId, key }: Device,
  body: Uint8Array,
  nonce: string,
  timestampSeconds: number,
): Record<string, string> => {
  const request = {
    method: 'POST',
    path: PATH,
    deviceId,
    keyId,
    timestampSeconds,
    nonce,
    bodySha256Hex: sha256Hex(body),
  }
  return {
    'content-type': 'application/json',
    'x-device-id': deviceId,
    'x-key-id': keyId,
    'x-timestamp': String(timestampSeconds),
    'x-nonce': nonce,
    'x-signature': `v1=${signRequest(key, request).toString('hex')}`,
  }
}

export type Posted = {
  status: number
  messageId?: string
  problem: Partial<Problem>
  retryAfterSeconds: number | undefined
}

/** Posts one recording; the same nonce and bytes again are the same message. */
export const post = async (
  ingest: string,
  device: Device,
  body: Uint8Array,
  nonce: string,
  timestampSeconds: number,
  trace?: TraceContext,
): Promise<Posted> => {
  const response = await call(addressOf(ingest, PATH), {
    method: 'POST',
    headers: {
      ...signedHeaders(device, body, nonce, timestampSeconds),
      ...(trace !== undefined && { traceparent: toTraceparent(trace) }),
    },
    body: Buffer.from(body),
  })
  const answer = (await response.json().catch(() => ({}))) as { messageId?: string } & Partial<Problem>
  const retryAfter = Number(response.headers.get('retry-after') ?? Number.NaN)
  return {
    status: response.status,
    problem: answer,
    ...(answer.messageId !== undefined && { messageId: answer.messageId }),
    retryAfterSeconds: Number.isFinite(retryAfter) ? retryAfter : undefined,
  }
}
