import { isCount, shownOf } from './header-values.ts'
import { DEVICE_ID, MESSAGE_ID } from './ids.ts'
import type { SignedMessage } from './message-signature.ts'
import { readTraceparent } from './traceparent.ts'

/** The version of the message headers below. */
export const MESSAGE_VERSION = 1
/** The schema of the body: contract section 1, both accepted forms. */
export const RECORDING_SCHEMA = 'recording.v1'
/** All our headers together, names and values. */
export const MAX_HEADER_BYTES = 4096
export const CONTENT_TYPE = 'application/json'

/** A message as the producer publishes it, but for its body, which is the device's bytes untouched. */
export type Message = SignedMessage & {
  /** The recording's own timestamp, ms. */
  deviceTimestampMs: number
  schema: string
  /** How often processing was tried before: 0 when the producer publishes it. */
  attempt: number
  signatureHex: string
  /** W3C trace context, when the request was traced. */
  traceparent?: string
}

/** The AMQP properties that carry a message, by amqplib's names. */
export type MessageProperties = {
  messageId: string
  contentType: string
  /** Seconds, as AMQP 0-9-1 has it. */
  timestamp: number
  headers: Record<string, string | number>
}

/** Properties and headers of a message to publish. */
export const toProperties = (message: Message): MessageProperties => ({
  messageId: message.messageId,
  contentType: message.contentType,
  timestamp: Math.floor(message.receivedAtMs / 1000),
  headers: {
    'x-v': MESSAGE_VERSION,
    'x-kid': message.kid,
    'x-device-id': message.deviceId,
    'x-received-at': message.receivedAtMs,
    'x-device-ts': message.deviceTimestampMs,
    'x-sha256': message.sha256Hex,
    'x-schema': message.schema,
    'x-attempt': message.attempt,
    'x-sig': message.signatureHex,
    ...(message.traceparent !== undefined && { traceparent: message.traceparent }),
  },
})

export type MessageRead =
  | { ok: true; message: Message }
  | { ok: false; reason: 'unsupported_version' | 'auth_bad_signature'; detail: string }

/** What arrives from the broker: anybody with access could have published it, so nothing is taken on trust. */
export type ReceivedProperties = {
  messageId?: unknown
  contentType?: unknown
  headers?: Record<string, unknown> | undefined
}

const unsigned = (detail: string): MessageRead => ({ ok: false, reason: 'auth_bad_signature', detail })

const HEX_64 = /^[0-9a-f]{64}$/

/**
 * Reads the properties of a received message by shape; the signature is not verified here.
 * A message without our headers cannot carry a valid signature and is named so.
 */
export const readMessage = ({ messageId, contentType, headers = {} }: ReceivedProperties): MessageRead => {
  const version = headers['x-v']
  if (version === undefined) return unsigned('x-v is missing: not published by a producer of this pipeline')
  if (version !== MESSAGE_VERSION)
    return {
      ok: false,
      reason: 'unsupported_version',
      detail: `x-v: expected ${MESSAGE_VERSION}, got ${shownOf(version)}`,
    }
  const text = (name: string, form: RegExp): string | undefined => {
    const value = headers[name]
    return typeof value === 'string' && form.test(value) ? value : undefined
  }
  const kid = text('x-kid', /^[A-Za-z0-9._-]{1,32}$/)
  const deviceId = text('x-device-id', DEVICE_ID)
  const sha256Hex = text('x-sha256', HEX_64)
  const signatureHex = text('x-sig', HEX_64)
  const schema = text('x-schema', /^[a-z0-9.]{1,32}$/)
  const [receivedAtMs, deviceTimestampMs, attempt] = [
    headers['x-received-at'],
    headers['x-device-ts'],
    headers['x-attempt'],
  ]
  if (kid === undefined || deviceId === undefined) return unsigned('x-kid or x-device-id is missing or malformed')
  if (sha256Hex === undefined || signatureHex === undefined)
    return unsigned('x-sha256 or x-sig is missing or malformed')
  if (typeof messageId !== 'string' || !MESSAGE_ID.test(messageId)) return unsigned('messageId is missing or malformed')
  if (typeof contentType !== 'string') return unsigned('contentType is missing')
  if (!isCount(receivedAtMs) || !isCount(deviceTimestampMs) || !isCount(attempt))
    return unsigned('x-received-at, x-device-ts or x-attempt is missing or malformed')
  if (schema !== RECORDING_SCHEMA)
    return {
      ok: false,
      reason: 'unsupported_version',
      detail: `x-schema: expected ${RECORDING_SCHEMA}, got ${schema ?? 'none'}`,
    }
  return {
    ok: true,
    message: {
      kid,
      deviceId,
      messageId,
      receivedAtMs,
      contentType,
      sha256Hex,
      deviceTimestampMs,
      schema,
      attempt,
      signatureHex,
      ...(readTraceparent(headers.traceparent) !== undefined && { traceparent: String(headers.traceparent) }),
    },
  }
}
