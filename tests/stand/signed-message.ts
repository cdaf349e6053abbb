import { randomBytes } from 'node:crypto'
import { sha256Hex } from '#contract/digest.ts'
import { type Message, toProperties } from '#contract/message.ts'
import { signMessage } from '#contract/message-signature.ts'
import { DEVICE } from '../e2e/device.ts'

export type SignedBody = { properties: ReturnType<typeof toProperties>; body: string }

/** A message as the producer publishes it, signed with a pipeline's message key; `change` is made before it is signed. */
export const signedMessage = (messageKey: Uint8Array, body: string, change: Partial<Message> = {}): SignedBody => {
  const signed = {
    kid: 'p1',
    deviceId: DEVICE,
    messageId: randomBytes(16).toString('hex'),
    receivedAtMs: Date.now(),
    contentType: 'application/json',
    sha256Hex: sha256Hex(body),
    ...change,
  }
  const rest = { deviceTimestampMs: 1735683480000, schema: 'recording.v1', attempt: 0 }
  return { properties: toProperties({ ...rest, signatureHex: signMessage(messageKey, signed), ...signed }), body }
}
