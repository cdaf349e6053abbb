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

/** What the broker adds when it dead-letters: stripped on every republish, or it would take the copy for a cycle. */
const BROKER_HEADER = /^x-(death|first-death-|last-death-)/

/** A message's headers without those that the broker added. */
export const withoutBrokerHeaders = (headers: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !BROKER_HEADER.test(name)))

/** The routing key under which a dead letter goes to the dead-letter exchange. */
export const deadLetterKey = (reason: DeadLetterReason): string => `dead.${reason}`

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
