import { KEY_ID } from './device-key.ts'
import { type HttpSignature, readHttpSignature, verifiesHttpRequest } from './http-signature.ts'
import { DEVICE_ID } from './ids.ts'
import { isNonce, verifiesRequest } from './request-signature.ts'

/** What a device's headers say of it and of its request, in either signing profile. */
export type RequestHeaders = {
  deviceId: string
  keyId: string
  /** When the device signed: unix time in seconds. */
  timestampSeconds: number
  nonce: string
  /** Hex of the digest in `Content-Digest`: always there in the profile of RFC 9421. */
  contentSha256Hex?: string
  proof: Proof
}

/** What is verified: one or two hex signatures (two while a device changes its key), or that of RFC 9421. */
type Proof =
  | { profile: 'XRAY1'; timestamp: string; signatures: string[] }
  | { profile: 'RFC9421'; contentDigest: string; received: HttpSignature }

export type HeadersRead = { ok: true; headers: RequestHeaders } | { ok: false; header: string; reason: string }

type Received = Record<string, string | string[] | undefined>

const TIMESTAMP = /^[1-9][0-9]{8,10}$/
const SIGNATURE = /^v1=([0-9a-f]{64})(?:,v1=([0-9a-f]{64}))?$/
const CONTENT_DIGEST = /^sha-256=:([A-Za-z0-9+/]{43}=):$/

type Rule = [header: string, accepts: (value: string) => boolean, expected: string]

const DEVICE: Rule = ['x-device-id', (value) => DEVICE_ID.test(value), '24 lower-case hex digits']
const DIGEST: Rule = ['content-digest', (value) => CONTENT_DIGEST.test(value), 'sha-256=:<base64>:']

const XRAY1: Rule[] = [
  DEVICE,
  ['x-key-id', (value) => KEY_ID.test(value), '1 to 32 letters, digits, dots, dashes or underscores'],
  ['x-timestamp', (value) => TIMESTAMP.test(value), 'unix time in whole seconds'],
  ['x-nonce', isNonce, '16 to 32 random bytes as unpadded base64url'],
  ['x-signature', (value) => SIGNATURE.test(value), 'v1=<64 lower-case hex digits>, at most two, comma-separated'],
]

const RFC9421: Rule[] = [
  DEVICE,
  DIGEST,
  [
    'signature-input',
    (value) => value.startsWith('sig1='),
    'sig1=("@method" "@path" "content-digest" "x-device-id");created=..;nonce="..";keyid="..";alg="hmac-sha256"',
  ],
  ['signature', (value) => value.startsWith('sig1='), 'sig1=:<base64 of 32 bytes>:'],
]

const malformed = (header: string, expected: string): HeadersRead => ({
  ok: false,
  header,
  reason: `${header} is malformed; expected ${expected}`,
})

const firstFault = (headers: Received, rules: Rule[]): HeadersRead | undefined => {
  for (const [header, accepts, expected] of rules) {
    const value = headers[header]
    if (value === undefined) return { ok: false, header, reason: `${header} is missing; expected ${expected}` }
    if (typeof value !== 'string' || !accepts(value)) return malformed(header, expected)
  }
  return undefined
}

const hexOf = (contentDigest: string): string =>
  Buffer.from(CONTENT_DIGEST.exec(contentDigest)?.[1] ?? '', 'base64').toString('hex')

const readXray1 = (headers: Received): HeadersRead => {
  const fault = firstFault(headers, XRAY1)
  if (fault !== undefined) return fault
  const contentDigest = headers['content-digest']
  if (contentDigest !== undefined) {
    const digestFault = firstFault(headers, [DIGEST])
    if (digestFault !== undefined) return digestFault
  }
  const timestamp = headers['x-timestamp'] as string
  const [, first = '', second] = SIGNATURE.exec(headers['x-signature'] as string) ?? []
  return {
    ok: true,
    headers: {
      deviceId: headers['x-device-id'] as string,
      keyId: headers['x-key-id'] as string,
      timestampSeconds: Number(timestamp),
      nonce: headers['x-nonce'] as string,
      ...(contentDigest !== undefined && { contentSha256Hex: hexOf(contentDigest as string) }),
      proof: { profile: 'XRAY1', timestamp, signatures: second === undefined ? [first] : [first, second] },
    },
  }
}

const readRfc9421 = (headers: Received): HeadersRead => {
  const fault = firstFault(headers, RFC9421)
  if (fault !== undefined) return fault
  const received = readHttpSignature(headers['signature-input'] as string, headers.signature as string)
  if (received === undefined)
    return malformed('signature-input', 'exactly the components and parameters of the profile')
  const contentDigest = headers['content-digest'] as string
  return {
    ok: true,
    headers: {
      deviceId: headers['x-device-id'] as string,
      keyId: received.keyId,
      timestampSeconds: received.createdSeconds,
      nonce: received.nonce,
      contentSha256Hex: hexOf(contentDigest),
      proof: { profile: 'RFC9421', contentDigest, received },
    },
  }
}

/**
 * Reads the authentication headers by shape alone; nothing is verified. A request with `Signature-Input` and without
 * `X-Signature` is read by RFC 9421, every other by XRAY1: no request is ever read by both.
 * @param headers lower-case names as node:http gives them. A header sent twice comes as an array or as a value joined
 *   with `, `; neither has a valid shape.
 * @returns the first header that is missing or malformed, in the order of the contract
 */
export const readRequestHeaders = (headers: Received): HeadersRead =>
  headers['x-signature'] === undefined && headers['signature-input'] !== undefined
    ? readRfc9421(headers)
    : readXray1(headers)

/** True when what the headers carry is the key's signature of this request. */
export const verifiesHeaders = (
  deviceKey: Uint8Array,
  { deviceId, keyId, nonce, proof }: RequestHeaders,
  request: { method: string; path: string; bodySha256Hex: string },
): boolean => {
  const { method, path, bodySha256Hex } = request
  if (proof.profile === 'RFC9421')
    // It covers the digest's header and not the body: the caller has compared the two.
    return verifiesHttpRequest(
      deviceKey,
      { method, path, contentDigest: proof.contentDigest, deviceId },
      proof.received,
    )
  const signed = { method, path, deviceId, keyId, timestampSeconds: proof.timestamp, nonce, bodySha256Hex }
  return verifiesRequest(deviceKey, signed, proof.signatures)
}
