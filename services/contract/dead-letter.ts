import { sha256Hex } from './digest.ts'
import { isCount } from './header-values.ts'
import { DEVICE_ID } from './ids.ts'
import type { TopologyNames } from './topology.ts'

/** Why a message ended in the dead-letter queue: a closed list, also the label of the metric. */
export const DEAD_LETTER_REASONS = [
  'auth_bad_signature',
  'auth_unknown_key',
  'schema_invalid',
  'body_too_large',
  'transform_failed',
  'storage_failed',
  'idempotency_conflict',
  'delivery_limit',
  'unsupported_version',
] as const

export type DeadLetterReason = (typeof DEAD_LETTER_REASONS)[number]

const MAX_DETAIL_BYTES = 1024

/**
 * What the broker adds when it dead-letters, or it would take a copy for a cycle, and what it routes by, or a copy would
 * go to further queues: stripped on every republish.
 */
const BROKER_HEADER = /^(x-(death|first-death-|last-death-)|B?CC$)/

/** A message's headers without those that the broker acts on. */
export const withoutBrokerHeaders = (headers: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !BROKER_HEADER.test(name)))

/** How often a message was replayed out of the dead letters: 0 for one that never was one, or says nothing sensible. */
export const replaysOf = (headers: Record<string, unknown>): number => {
  const count = headers['x-replay-count']
  return isCount(count) ? count : 0
}

/** The routing key under which a dead letter goes to the dead-letter exchange. */
const deadLetterKey = (reason: DeadLetterReason): string => `dead.${reason}`

const cut = (detail: string): string => {
  const bytes = Buffer.from(detail)
  return bytes.length <= MAX_DETAIL_BYTES
    ? detail
    : `${bytes.subarray(0, MAX_DETAIL_BYTES - 3).toString()}`.replace(/�+$/, '')
}

/**
 * The headers of a dead letter: the original's, and why it is dead.
 * @param headers as received
 * @param failedAtMs now; the first failure's time stays when the message failed before
 */
export const deadLetterHeaders = (
  headers: Record<string, unknown>,
  failure: { reason: DeadLetterReason; detail: string; failedAtMs: number },
): Record<string, unknown> => ({
  ...withoutBrokerHeaders(headers),
  'x-dlq-reason': failure.reason,
  'x-dlq-detail': cut(failure.detail),
  'x-first-failed-at': headers['x-first-failed-at'] ?? failure.failedAtMs,
})

/** Where a dead letter goes: one that was replayed before is parked, so that nobody replays it without a look. */
export const deadLetterAddress = (
  names: Pick<TopologyNames, 'deadLetterExchange' | 'parkedQueue'>,
  headers: Record<string, unknown>,
  reason: DeadLetterReason,
): { exchange: string; routingKey: string } =>
  replaysOf(headers) > 0
    ? { exchange: '', routingKey: names.parkedQueue }
    : { exchange: names.deadLetterExchange, routingKey: deadLetterKey(reason) }

/** Why a message was dead-lettered, and how often it was delivered. */
const SPENT_HEADER = /^(x-dlq-|x-delivery-count$|x-acquired-count$)/

/**
 * The headers of a replay: the message's own, as before its first failure, and which dead letter it was.
 * @param idHex of the dead letter
 */
export const replayHeaders = (headers: Record<string, unknown>, idHex: string): Record<string, unknown> => ({
  ...Object.fromEntries(Object.entries(withoutBrokerHeaders(headers)).filter(([name]) => !SPENT_HEADER.test(name))),
  ...('x-attempt' in headers && { 'x-attempt': 0 }),
  'x-replay-count': replaysOf(headers) + 1,
  'x-replay-of': idHex,
})

/** What is known of a dead letter from its headers alone; whatever is missing or malformed is undefined. */
export type DeadLetterFacts = {
  reason: DeadLetterReason
  detail: string
  attempt: number
  replays: number
  deviceId?: string
  firstFailedAtMs?: number
  receivedAtMs?: number
}

/** What a Date can hold. */
const LAST_MS = 8.64e15

/**
 * Reads why a message is dead. One without our reason, or with the broker's mark, was dead-lettered by the broker
 * itself, after too many deliveries. Anybody could have published it, so every value is checked.
 */
export const readDeadLetter = (headers: Record<string, unknown>): DeadLetterFacts => {
  const byBroker = 'x-death' in headers // we strip it from whatever we publish
  const reason = byBroker ? undefined : DEAD_LETTER_REASONS.find((known) => known === headers['x-dlq-reason'])
  const time = (name: string): number | undefined => {
    const value = headers[name]
    return isCount(value) && value <= LAST_MS ? value : undefined
  }
  const [detail, attempt, deviceId] = [headers['x-dlq-detail'], headers['x-attempt'], headers['x-device-id']]
  const [firstFailedAtMs, receivedAtMs] = [time('x-first-failed-at'), time('x-received-at')]
  return {
    reason: reason ?? 'delivery_limit',
    detail:
      reason === undefined
        ? 'the broker gave up on it: it was delivered too often without being settled'
        : cut(typeof detail === 'string' ? detail : ''),
    attempt: isCount(attempt) ? attempt : 0,
    replays: replaysOf(headers),
    ...(typeof deviceId === 'string' && DEVICE_ID.test(deviceId) && { deviceId }),
    ...(firstFailedAtMs !== undefined && { firstFailedAtMs }),
    ...(receivedAtMs !== undefined && { receivedAtMs }),
  }
}

/**
 * The `_id` of a dead letter, 24 hex digits: the same one delivered or published twice is one document, and one that
 * failed again after a replay is another.
 */
export const deadLetterIdHex = (
  messageId: string,
  bodySha256Hex: string,
  { reason, replays }: Pick<DeadLetterFacts, 'reason' | 'replays'>,
): string => sha256Hex(`${messageId}\n${bodySha256Hex}\n${reason}\n${replays}`).slice(0, 24)
