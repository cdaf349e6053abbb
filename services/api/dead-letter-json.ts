import { isUtf8 } from 'node:buffer'
import type { DeadLetterDocument, DeadLetterRow, ReasonCount } from '#runtime/dead-letter-store.ts'
import type { OperationDocument } from '#runtime/operation-store.ts'

/** A dead letter as the list shows it: times as ISO text, the id as hex. */
export const toRowJson = ({
  _id,
  firstFailedAt,
  receivedAt,
  archivedAt,
  stateAt,
  expireAt,
  truncated,
  ...letter
}: DeadLetterRow) => ({
  id: _id.toHexString(),
  ...letter,
  replayable: letter.state === 'open' && !truncated,
  ...(receivedAt !== undefined && { receivedAt: receivedAt.toISOString() }),
  ...(firstFailedAt !== undefined && { firstFailedAt: firstFailedAt.toISOString() }),
  archivedAt: archivedAt.toISOString(),
  ...(stateAt !== undefined && { stateAt: stateAt.toISOString() }),
  ...(expireAt !== undefined && { expireAt: expireAt.toISOString() }),
})

/**
 * Everything that is kept of a dead letter. Headers are written as they are stored: bytes as `{"$bytes": base64}`,
 * numbers that JSON has not as `{"$number": text}`. The body is there as base64, and as text when it is UTF-8.
 */
export const toDeadLetterJson = ({ body, envelope, ...row }: DeadLetterDocument) => {
  const bytes = Buffer.from(body.buffer)
  const { headers, ...properties } = JSON.parse(envelope) as { headers: Record<string, unknown> }
  return {
    ...toRowJson(row),
    properties,
    headers,
    body: {
      bytes: row.bodyBytes,
      sha256: row.bodySha256,
      kept: bytes.length,
      base64: bytes.toString('base64'),
      ...(isUtf8(bytes) && { text: bytes.toString() }),
    },
  }
}

/** How many there are, by reason, and since when. */
export const toSummaryJson = (counts: ReasonCount[]) => {
  const oldestMs = Math.min(...counts.map(({ oldestAt }) => oldestAt.getTime()))
  return {
    total: counts.reduce((sum, { count }) => sum + count, 0),
    ...(counts.length > 0 && { oldestAt: new Date(oldestMs).toISOString() }),
    byReason: Object.fromEntries(counts.map(({ reason, count }) => [reason, count])),
  }
}

/** An operation as its readers see it: without its lease. */
export const toOperationJson = (operation: OperationDocument) => {
  const { _id, startedAt, endedAt, expireAt, leaseOwner: _, leaseUntil: __, checkpoint: ___, ...rest } = operation
  const left = rest.total - rest.done - rest.failed
  const { fromMs, toMs, ...filter } = rest.filter
  return {
    id: _id,
    ...rest,
    filter: {
      ...filter,
      ...(fromMs !== undefined && { from: new Date(fromMs).toISOString() }),
      ...(toMs !== undefined && { to: new Date(toMs).toISOString() }),
    },
    startedAt: startedAt.toISOString(),
    ...(endedAt !== undefined && { endedAt: endedAt.toISOString() }),
    ...(expireAt !== undefined && { expireAt: expireAt.toISOString() }),
    ...(rest.state === 'running' && { etaSeconds: Math.ceil(left / rest.ratePerSecond) }),
  }
}
