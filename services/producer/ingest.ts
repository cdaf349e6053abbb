import type { KeyState } from '#contract/device-registry.ts'
import { messageIdFor } from '#contract/ids.ts'
import { CONTENT_TYPE, type Message, RECORDING_SCHEMA, toProperties } from '#contract/message.ts'
import { signMessage } from '#contract/message-signature.ts'
import { readOrigin } from '#contract/recording-body.ts'
import type { DerivedKeys } from '#runtime/derived-keys.ts'
import type { DeviceWatch } from '#runtime/device-watch.ts'
import type { Keys } from '#runtime/keys.ts'
import type { Nonces } from '#runtime/nonces.ts'
import type { Outcome, Publisher } from '#runtime/publisher.ts'
import { type Answer, accepted, refused, unavailable, WHY } from './answers.ts'
import type { Room } from './body.ts'
import type { RateLimit } from './rate-limit.ts'
import type { Received } from './reception.ts'

/** What ingest needs; the clock and randomness come with it. */
export type IngestContext = {
  keys: () => Keys
  devices: Pick<DeviceWatch, 'find' | 'problem'>
  derivedKeys: DerivedKeys
  nonces: Nonces
  publisher: Pick<Publisher, 'publish'>
  rateLimit: RateLimit
  room: Room
  /** Of batches: one takes as much as 32 recordings at least, so strangers fill it sooner. */
  batchRoom: Room
  exchange: string
  routingKey: string
  now: () => number
  random: () => number
  published: (outcome: Outcome) => void
  /** Told of each key that verified a request. */
  used: (deviceId: string, keyId: string, state: KeyState, nowMs: number, signedAtSeconds: number) => void
}

/** Publishes a recording under the name that its device, nonce and bytes give it. */
const publish = async (
  context: IngestContext,
  { deviceId, body, bodySha256Hex, nowMs, trace, traceparent: given }: Received,
  messageId: string,
  deviceTimestampMs: number,
): Promise<Outcome | 'no key'> => {
  const { signing } = context.keys()
  if (signing === undefined) return 'no key'
  const signed = {
    kid: signing.kid,
    deviceId,
    messageId,
    receivedAtMs: nowMs,
    contentType: CONTENT_TYPE,
    sha256Hex: bodySha256Hex,
  }
  const publishing = trace?.publish(messageId, body.length)
  // Without tracing here, the device's own context goes on to whoever reads the signal.
  const traceparent = publishing?.traceparent ?? given
  const message: Message = {
    ...signed,
    deviceTimestampMs,
    schema: RECORDING_SCHEMA,
    attempt: 0,
    signatureHex: signMessage(signing.key, signed),
    ...(traceparent !== undefined && { traceparent }),
  }
  const { exchange, routingKey } = context
  const outcome = await context.publisher.publish({ exchange, routingKey, body, properties: toProperties(message) })
  publishing?.ended(outcome)
  context.published(outcome)
  return outcome
}

/**
 * Takes one recording of a device that is known to have sent it: every check that looks into it, and 202 only once the
 * broker has confirmed the message and not returned it.
 */
export const ingest = async (context: IngestContext, received: Received): Promise<Answer> => {
  const { deviceId, nonce, body, bodySha256Hex, nowMs } = received
  // Only who is authenticated spends a device's tokens: a stranger could lock it out otherwise.
  const bucket = context.rateLimit.take(deviceId, nowMs)
  if (!bucket.ok)
    return refused(
      'rate_limited',
      { detail: 'this device sends too often' },
      { 'retry-after': String(bucket.retryAfterSeconds) },
    )
  const recording = readOrigin(body, nowMs)
  if (!recording.ok) return refused('schema_invalid', { detail: recording.fault.detail, errors: [recording.fault] })
  if (recording.deviceId !== deviceId)
    return refused('device_mismatch', { detail: 'the body names another device than x-device-id' })

  const messageId = messageIdFor(deviceId, nonce, bodySha256Hex)
  const used = await context.nonces.read(deviceId, nonce)
  if (used !== undefined) return used.messageId === messageId ? accepted(messageId, true) : refused('nonce_reuse')
  const outcome = await publish(context, received, messageId, recording.timestamp)
  if (outcome === 'no key') return unavailable('no message key is there yet', context.random())
  if (outcome !== 'confirmed') return unavailable(WHY[outcome], context.random())
  await context.nonces.write(deviceId, nonce, { messageId, sha256Hex: bodySha256Hex })
  return accepted(messageId, false)
}
