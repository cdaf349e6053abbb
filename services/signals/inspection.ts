import type { DeadLetterReason } from '#contract/dead-letter.ts'
import { sha256Hex } from '#contract/digest.ts'
import { objectIdHexFor } from '#contract/ids.ts'
import { type Message, type ReceivedProperties, readMessage } from '#contract/message.ts'
import { verifiesMessage } from '#contract/message-signature.ts'
import { MAX_BODY_BYTES } from '#contract/recording.ts'
import { readSummary } from '#contract/recording-body.ts'
import type { Summary } from '#contract/signal.ts'
import { readTraceparent } from '#contract/traceparent.ts'
import type { Entry } from '#runtime/signal-store.ts'

/** Why a message cannot be stored now (`retry`) or ever (`dead`). */
export type Failure = { kind: 'retry' | 'dead'; reason: DeadLetterReason; detail: string }

/** What a message is before any store is touched. */
export type Inspection = { kind: 'sound'; entry: Entry } | Failure

const dead = (reason: DeadLetterReason, detail: string): Failure => ({ kind: 'dead', reason, detail })

/** @throws RangeError when no id can be made of the recording's time: it is past the year 2106 */
const toEntry = (message: Message, body: Buffer, summary: Summary): Entry => {
  const trace = readTraceparent(message.traceparent)
  return {
    idHex: objectIdHexFor(summary.timestamp, message.messageId),
    messageId: message.messageId,
    contentType: message.contentType,
    sha256Hex: message.sha256Hex,
    receivedAtMs: message.receivedAtMs,
    body,
    summary,
    ...(trace !== undefined && { traceId: trace.traceId }),
    ...(message.attempt > 0 && { attempts: message.attempt + 1 }),
  }
}

/**
 * Verifies and reads one message: signature before content, and all of it before Redis or the store is asked.
 * An unknown key may be a rotation that has not arrived here yet, so it is tried again; a wrong signature never is.
 * @param lap told when the message is known to be a producer's
 */
export const inspect = (
  received: ReceivedProperties,
  body: Buffer,
  messageKeys: Map<string, Buffer>,
  lap: (stage: 'verify') => void,
): Inspection => {
  const read = readMessage(received)
  if (!read.ok) return dead(read.reason, read.detail)
  const { message } = read
  const key = messageKeys.get(message.kid)
  if (key === undefined)
    return { kind: 'retry', reason: 'auth_unknown_key', detail: `no message key "${message.kid}" here` }
  if (!verifiesMessage(key, message, message.signatureHex)) return dead('auth_bad_signature', 'x-sig does not verify')
  if (sha256Hex(body) !== message.sha256Hex) return dead('auth_bad_signature', 'x-sha256 is not the digest of the body')
  lap('verify')
  if (body.length > MAX_BODY_BYTES)
    return dead('body_too_large', `expected at most ${MAX_BODY_BYTES} bytes, got ${body.length}`)
  // The time of receipt, not now: whether a timestamp lies in the future must not depend on how long a message waited.
  const recording = readSummary(body, message.receivedAtMs)
  if (!recording.ok) return dead('schema_invalid', `${recording.fault.pointer || '/'}: ${recording.fault.detail}`)
  if (recording.summary.deviceId !== message.deviceId)
    return dead('schema_invalid', '/deviceId: another device than x-device-id')
  try {
    return { kind: 'sound', entry: toEntry(message, body, recording.summary) }
  } catch (error) {
    // A defect that one message brings to light must not hold up the others of its batch, nor be tried for ever.
    return dead('transform_failed', (error as Error).message)
  }
}
