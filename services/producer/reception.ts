import type { IncomingMessage } from 'node:http'
import { sha256Hex } from '#contract/digest.ts'
import { CONTENT_TYPE } from '#contract/message.ts'
import { type RequestHeaders, readRequestHeaders } from '#contract/request-headers.ts'
import { readTraceparent } from '#contract/traceparent.ts'
import { type Answer, refused, unavailable } from './answers.ts'
import { authenticate, isSkewed } from './authentication.ts'
import { type BodyFault, type Room, readBody } from './body.ts'
import type { IngestContext } from './ingest.ts'
import type { RequestTrace } from './request-trace.ts'

/** What a device sent, once it is known to be that device's. */
export type Received = {
  deviceId: string
  nonce: string
  body: Buffer
  bodySha256Hex: string
  nowMs: number
  /** Where traces are on. */
  trace: RequestTrace | undefined
  /** The device's own trace context, when it sent one. */
  traceparent: string | undefined
}

const tooLarge = (maxBytes: number): Answer =>
  refused('body_too_large', { detail: `expected at most ${maxBytes} bytes` }, { connection: 'close' })

/** Whatever can be refused before a body is sent, cheapest first. */
const readHead = (
  request: IncomingMessage,
  maxBytes: number,
  nowMs: number,
): { ok: true; headers: RequestHeaders } | { ok: false; answer: Answer } => {
  const fails = (answer: Answer) => ({ ok: false, answer }) as const
  const read = readRequestHeaders(request.headers)
  if (!read.ok)
    return fails(refused('malformed', { detail: read.reason, errors: [{ header: read.header, detail: read.reason }] }))
  if (isSkewed(read.headers.timestampSeconds, nowMs))
    return fails(
      refused('clock_skew', { serverTime: nowMs, detail: 'the request was signed more than 300 s from the time here' }),
    )
  if (request.headers['content-type']?.split(';')[0]?.trim().toLowerCase() !== CONTENT_TYPE)
    return fails(refused('unsupported_media_type', { detail: `expected ${CONTENT_TYPE}` }))
  if (request.headers['content-encoding'] !== undefined)
    return fails(
      refused('unsupported_media_type', {
        detail: 'expected no content-encoding: the signature covers the bytes as sent',
      }),
    )
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) return fails(tooLarge(maxBytes))
  return { ok: true, headers: read.headers }
}

const refusedBody = (fault: BodyFault, maxBytes: number, random: number): Answer => {
  switch (fault) {
    case 'too large':
      return tooLarge(maxBytes)
    case 'cut off':
      return refused('malformed', { detail: 'the body ended early' }, { connection: 'close' })
    case 'no room':
      return unavailable('too many bodies are being received now', random)
    default: {
      const missed: never = fault
      throw new Error(`unhandled fault ${missed}`)
    }
  }
}

const passedOn = (traceparent: unknown): string | undefined =>
  typeof traceparent === 'string' && readTraceparent(traceparent) !== undefined ? traceparent : undefined

/**
 * Receives one signed request and hands it on: every check that does not look into the body, in the contract's order,
 * those that need no body before it is sent (`Expect: 100-continue`). The body's memory is given back afterwards.
 * @param path what the device must have signed
 * @param room what holds the body until it is answered
 * @param proceed tells a sender that waits for it to send the body
 * @param trace of the request, where traces are on
 */
export const withReceived = async <T>(
  context: IngestContext,
  request: IncomingMessage,
  { path, maxBytes, room }: { path: string; maxBytes: number; room: Room },
  proceed: (() => void) | undefined,
  trace: RequestTrace | undefined,
  use: (received: Received) => Promise<T>,
): Promise<T | Answer> => {
  const nowMs = context.now()
  const head = readHead(request, maxBytes, nowMs)
  if (!head.ok) return head.answer
  const { headers } = head
  const registryProblem = context.devices.problem()
  if (registryProblem !== undefined) return unavailable(registryProblem, context.random())
  proceed?.()
  const body = await readBody(request, maxBytes, room)
  if (typeof body === 'string') return refusedBody(body, maxBytes, context.random())
  try {
    const bodySha256Hex = sha256Hex(body)
    if (headers.contentSha256Hex !== undefined && headers.contentSha256Hex !== bodySha256Hex)
      return refused('malformed', {
        detail: 'content-digest is not that of the body',
        errors: [{ header: 'content-digest', detail: 'another digest' }],
      })
    const { deviceId, keyId, nonce } = headers
    const device = context.devices.find(deviceId)
    const signed = { method: 'POST', path, bodySha256Hex }
    const known = { masters: context.keys().deviceMasters, derivedKeys: context.derivedKeys, device }
    const authentication = authenticate(known, headers, signed, nowMs)
    if (!authentication.ok) return refused(authentication.refusal.code, { detail: authentication.refusal.detail })
    trace?.authenticated(deviceId)
    context.used(deviceId, keyId, authentication.keyState, nowMs, headers.timestampSeconds)
    const traceparent = passedOn(request.headers.traceparent)
    return await use({ deviceId, nonce, body, bodySha256Hex, nowMs, trace, traceparent })
  } finally {
    room.give(body.length)
  }
}
