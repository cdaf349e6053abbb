import { KEY_ID } from './device-key.ts'
import { DEVICE_ID } from './ids.ts'

/** The five headers with which a device authenticates a request, read. */
export type RequestHeaders = {
  deviceId: string
  keyId: string
  /** As sent, for the canonical string: only digits, no sign, no leading zero. */
  timestamp: string
  timestampSeconds: number
  nonce: string
  /** One or two signatures, 64 lower-case hex digits each: two while a device changes its key. */
  signatures: string[]
  /** Hex of the digest in `Content-Digest`, when the device sent one. */
  contentSha256Hex?: string
}

export type HeadersRead = { ok: true; headers: RequestHeaders } | { ok: false; header: string; reason: string }

const TIMESTAMP = /^[1-9][0-9]{8,10}$/
// 16 to 32 bytes in base64url without padding are 22 to 43 characters; 1 mod 4 is no length of base64.
const NONCE = /^[A-Za-z0-9_-]{22,43}$/
const SIGNATURE = /^v1=([0-9a-f]{64})(?:,v1=([0-9a-f]{64}))?$/
const CONTENT_DIGEST = /^sha-256=:([A-Za-z0-9+/]{43}=):$/

const RULES: [header: string, accepts: (value: string) => boolean, expected: string][] = [
  ['x-device-id', (value) => DEVICE_ID.test(value), '24 lower-case hex digits'],
  ['x-key-id', (value) => KEY_ID.test(value), '1 to 32 letters, digits, dots, dashes or underscores'],
  ['x-timestamp', (value) => TIMESTAMP.test(value), 'unix time in whole seconds'],
  ['x-nonce', (value) => NONCE.test(value) && value.length % 4 !== 1, '16 to 32 random bytes as unpadded base64url'],
  ['x-signature', (value) => SIGNATURE.test(value), 'v1=<64 lower-case hex digits>, at most two, comma-separated'],
]

/**
 * Reads the authentication headers by shape alone; nothing is verified.
 * @param headers lower-case names as node:http gives them. A header sent twice comes as an array or as a value joined
 *   with `, `; neither has a valid shape.
 * @returns the first header that is missing or malformed, in the order of the contract
 */
export const readRequestHeaders = (headers: Record<string, string | string[] | undefined>): HeadersRead => {
  for (const [header, accepts, expected] of RULES) {
    const value = headers[header]
    if (value === undefined) return { ok: false, header, reason: `${header} is missing; expected ${expected}` }
    if (typeof value !== 'string' || !accepts(value))
      return { ok: false, header, reason: `${header} is malformed; expected ${expected}` }
  }
  const digest = headers['content-digest']
  const digestBase64 = typeof digest === 'string' ? CONTENT_DIGEST.exec(digest)?.[1] : undefined
  if (digest !== undefined && digestBase64 === undefined)
    return { ok: false, header: 'content-digest', reason: 'content-digest is malformed; expected sha-256=:<base64>:' }
  const timestamp = headers['x-timestamp'] as string
  const [, first = '', second] = SIGNATURE.exec(headers['x-signature'] as string) ?? []
  return {
    ok: true,
    headers: {
      deviceId: headers['x-device-id'] as string,
      keyId: headers['x-key-id'] as string,
      timestamp,
      timestampSeconds: Number(timestamp),
      nonce: headers['x-nonce'] as string,
      signatures: second === undefined ? [first] : [first, second],
      ...(digestBase64 !== undefined && { contentSha256Hex: Buffer.from(digestBase64, 'base64').toString('hex') }),
    },
  }
}
