import { equalsHex, hmacSha256Hex } from './digest.ts'

/**
 * What the producer signs of a message on the broker. It covers nothing that a retry changes: no routing key,
 * no attempt, no expiration.
 */
export type SignedMessage = {
  kid: string
  deviceId: string
  messageId: string
  receivedAtMs: number
  contentType: string
  sha256Hex: string
}

const canonicalMessage = (message: SignedMessage): string =>
  [
    'XRAYMSG1',
    message.kid,
    message.deviceId,
    message.messageId,
    message.receivedAtMs,
    message.contentType,
    message.sha256Hex,
  ].join('\n')

/** The `x-sig` header: 64 lower-case hex digits. */
export const signMessage = (pipelineKey: Uint8Array, message: SignedMessage): string =>
  hmacSha256Hex(pipelineKey, canonicalMessage(message))

/** True when `x-sig` is the key's; compared in constant time. */
export const verifiesMessage = (pipelineKey: Uint8Array, message: SignedMessage, signatureHex: string): boolean =>
  equalsHex(hmacSha256Hex(pipelineKey, canonicalMessage(message)), signatureHex)
