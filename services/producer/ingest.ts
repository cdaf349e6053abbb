import type { IncomingMessage } from 'node:http'
import { sha256Hex } from '#contract/digest.ts'
import { messageIdFor } from '#contract/ids.ts'
import { CONTENT_TYPE, type Message, RECORDING_SCHEMA, toProperties } from '#contract/message.ts'
import { signMessage } from '#contract/message-signature.ts'
import { type Problem, type ProblemCode, toProblem } from '#contract/problem.ts'
import { MAX_BODY_BYTES } from '#contract/recording.ts'
import { readOrigin } from '#contract/recording-body.ts'
import { readRequestHeaders } from '#contract/request-headers.ts'
import { readTraceparent } from '#contract/traceparent.ts'
import { type Keys, signingKey } from '#runtime/keys.ts'
import type { Nonces } from '#runtime/nonces.ts'
import type { Outcome, Publisher } from '#runtime/publisher.ts'
import { authenticate, isSkewed } from './authentication.ts'
import { readBody } from './body.ts'
import type { RateLimit } from './rate-limit.ts'
import type { RequestTrace } from './request-trace.ts'

export const INGEST_PATH = '/v1/ingest'

/** What ingest needs; the clock and randomness come with it. */
export type IngestContext = {
  keys: () => Keys
  nonces: Nonces
  publisher: Publisher
  rateLimit: RateLimit
  exchange: string
  routingKey: string
  now: () => number
  random: () => number
  published: (outcome: Outcome) => void
}

export type Answer = {
  status: number
  body: Problem | { messageId: string; status: 'accepted' }
  headers: Record<string, string>
}

const accepted = (messageId: string, replayed: boolean): Answer => ({
  status: 202,
  body: { messageId, status: 'accepted' },
  headers: replayed ? { 'idempotency-replayed': 'true' } : {},
})

const refused = (code: ProblemCode, more: Partial<Problem> = {}, headers: Record<string, string> = {}): Answer => {
  const problem = toProblem(code, more)
  return {
    status: problem.status,
    body: problem,
    headers: problem.status === 401 ? { 'www-authenticate': 'XRAY1-HMAC-SHA256', ...headers } : headers,
  }
}

/** Devices that are turned away together must not come back together. */
const retryAfter = (random: number): Record<string, string> => ({ 'retry-after': String(1 + Math.floor(random * 5)) })

const WHY: Record<Exclude<Outcome, 'confirmed'>, string> = {
  nacked: 'the broker refused the message: its queue is full',
  returned: 'the broker has no queue for the message',
  timeout: 'the broker did not confirm in time',
  unavailable: 'the broker cannot be reached or takes no messages now',
  unpublishable: 'the message cannot be written as AMQP',
}

const passedOn = (traceparent: unknown): string | undefined =>
  typeof traceparent === 'string' && readTraceparent(traceparent) !== undefined ? traceparent : undefined

/**
 * Answers one request to the ingest path: every check in the contract's order, cheap ones first, and 202 only once the
 * broker has confirmed the message and not returned it. Input is never answered with 5xx.
 */
export const ingest = async (
  context: IngestContext,
  request: IncomingMessage,
  trace?: RequestTrace,
): Promise<Answer> => {
  const read = readRequestHeaders(request.headers)
  if (!read.ok)
    return refused('malformed', { detail: read.reason, errors: [{ header: read.header, detail: read.reason }] })
  const { headers } = read
  const { deviceId, nonce } = headers
  const nowMs = context.now()
  if (isSkewed(headers.timestampSeconds, nowMs))
    return refused('clock_skew', { serverTime: nowMs, detail: 'x-timestamp is more than 300 s from the time here' })
  if (request.headers['content-type']?.split(';')[0]?.trim().toLowerCase() !== CONTENT_TYPE)
    return refused('unsupported_media_type', { detail: `expected ${CONTENT_TYPE}` })
  if (request.headers['content-encoding'] !== undefined)
    return refused('unsupported_media_type', {
      detail: 'expected no content-encoding: the signature covers the bytes as sent',
    })

  const body = await readBody(request, MAX_BODY_BYTES)
  if (body === 'too large')
    return refused('body_too_large', { detail: `expected at most ${MAX_BODY_BYTES} bytes` }, { connection: 'close' })
  if (body === 'cut off') return refused('malformed', { detail: 'the body ended early' }, { connection: 'close' })
  const bodySha256Hex = sha256Hex(body)
  if (headers.contentSha256Hex !== undefined && headers.contentSha256Hex !== bodySha256Hex)
    return refused('malformed', {
      detail: 'content-digest is not that of the body',
      errors: [{ header: 'content-digest', detail: 'another digest' }],
    })
  const keys = context.keys()
  const unauthenticated = authenticate(keys.deviceMasters, headers, {
    method: 'POST',
    path: INGEST_PATH,
    bodySha256Hex,
  })
  if (unauthenticated !== undefined) return refused(unauthenticated.code, { detail: unauthenticated.detail })
  trace?.authenticated(deviceId)
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

  const signing = signingKey(keys)
  if (signing === undefined)
    return refused('unavailable', { detail: 'no message key is there yet' }, retryAfter(context.random()))
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
  const traceparent = publishing?.traceparent ?? passedOn(request.headers.traceparent)
  const message: Message = {
    ...signed,
    deviceTimestampMs: recording.timestamp,
    schema: RECORDING_SCHEMA,
    attempt: 0,
    signatureHex: signMessage(signing.key, signed),
    ...(traceparent !== undefined && { traceparent }),
  }
  const outcome = await context.publisher.publish({
    exchange: context.exchange,
    routingKey: context.routingKey,
    body,
    properties: toProperties(message),
  })
  publishing?.ended(outcome)
  context.published(outcome)
  if (outcome !== 'confirmed') return refused('unavailable', { detail: WHY[outcome] }, retryAfter(context.random()))
  await context.nonces.write(deviceId, nonce, { messageId, sha256Hex: bodySha256Hex })
  return accepted(messageId, false)
}
