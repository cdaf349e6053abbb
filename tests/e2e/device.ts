import { randomBytes } from 'node:crypto'
import { deriveDeviceKey } from '#contract/device-key.ts'
import { sha256Hex } from '#contract/digest.ts'
import { signRequest } from '#contract/request-signature.ts'
import { address, eventually, secret } from './cluster.ts'

export const DEVICE = '66bb584d4ae73e488c30a072'

export const nonce = (): string => randomBytes(16).toString('base64url')

/** A valid recording, with whatever is changed. */
export const recording = (change: object = {}): string =>
  JSON.stringify({
    deviceId: DEVICE,
    timestamp: 1735683480000,
    data: [
      [762, [51.339764, 12.339223833333334, 1.2038]],
      [1766, [51.33977733333333, 12.339211833333334, 1.531604]],
    ],
    ...change,
  })

export type Sent = { nonce?: string; timestampSeconds?: number; deviceId?: string; headers?: Record<string, string> }

/**
 * What a device of a pipeline does: it signs and posts to the pipeline's producer. A pod that is ready is reachable by
 * its Service only when the node's rules have followed, so the first answer is waited for.
 */
export const openDevice = async (pipeline: string) => {
  const master = Buffer.from(await secret(`${pipeline}-keys`, 'device-master-k1'), 'hex')
  const url = `http://${await address(`${pipeline}-producer`)}:8080/v1/ingest`
  await eventually(`the producer of ${pipeline} to answer`, 90, async () => (await fetch(url)).status)
  return async (body: string | Buffer, sent: Sent = {}) => {
    const deviceId = sent.deviceId ?? DEVICE
    const used = sent.nonce ?? nonce()
    const timestampSeconds = sent.timestampSeconds ?? Math.floor(Date.now() / 1000)
    const request = {
      method: 'POST',
      path: '/v1/ingest',
      deviceId,
      keyId: 'k1',
      timestampSeconds,
      nonce: used,
      bodySha256Hex: sha256Hex(body),
    }
    const signature = signRequest(deriveDeviceKey(master, deviceId, 'k1'), request).toString('hex')
    const headers = {
      'content-type': 'application/json',
      'x-device-id': deviceId,
      'x-key-id': 'k1',
      'x-timestamp': String(timestampSeconds),
      'x-nonce': used,
      'x-signature': `v1=${signature}`,
      ...sent.headers,
    }
    const answer = await fetch(url, { method: 'POST', headers, body: Buffer.from(body) })
    return {
      status: answer.status,
      replayed: answer.headers.get('idempotency-replayed'),
      body: (await answer.json()) as {
        messageId?: string
        code?: string
        errors?: { pointer?: string }[]
        serverTime?: number
      },
    }
  }
}
