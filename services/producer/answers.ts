import { type Problem, type ProblemCode, toProblem } from '#contract/problem.ts'
import type { Outcome } from '#runtime/publisher.ts'

/** What became of one recording. */
export type Answer = {
  status: number
  body: Problem | { messageId: string; status: 'accepted' }
  headers: Record<string, string>
}

/** The answer to a batch: one status and body for each item, in order. */
export type BatchAnswer = {
  status: 207
  body: { items: ItemResult[] }
  headers: Record<string, string>
  items: Answer[]
}

export type ItemResult = { status: number; messageId?: string; replayed?: true; problem?: Problem }

const NO_HEADERS: Record<string, string> = {}

export const accepted = (messageId: string, replayed: boolean): Answer => ({
  status: 202,
  body: { messageId, status: 'accepted' },
  headers: replayed ? { 'idempotency-replayed': 'true' } : NO_HEADERS,
})

export const refused = (
  code: ProblemCode,
  more: Partial<Problem> = {},
  headers: Record<string, string> = NO_HEADERS,
): Answer => {
  const problem = toProblem(code, more)
  return {
    status: problem.status,
    body: problem,
    headers: problem.status === 401 ? { 'www-authenticate': 'XRAY1-HMAC-SHA256', ...headers } : headers,
  }
}

/** @param random from 0 to 1: devices that are turned away together must not come back together */
export const unavailable = (detail: string, random: number): Answer =>
  refused('unavailable', { detail }, { 'retry-after': String(1 + Math.floor(random * 5)) })

/** Why a publication that was not confirmed was not. */
export const WHY: Record<Exclude<Outcome, 'confirmed'>, string> = {
  nacked: 'the broker refused the message: its queue is full',
  returned: 'the broker has no queue for the message',
  timeout: 'the broker did not confirm in time',
  unavailable: 'the broker cannot be reached or takes no messages now',
  unpublishable: 'the message cannot be written as AMQP',
}

const toItemResult = ({ status, body, headers }: Answer): ItemResult =>
  'messageId' in body
    ? {
        status,
        messageId: body.messageId,
        ...(headers['idempotency-replayed'] !== undefined && { replayed: true as const }),
      }
    : { status, problem: body }

/** The answer to a batch; it says the longest that one of its items is to be kept back. */
export const toBatchAnswer = (items: Answer[]): BatchAnswer => {
  const seconds = Math.max(0, ...items.map(({ headers }) => Number(headers['retry-after'] ?? 0)))
  return {
    status: 207,
    body: { items: items.map(toItemResult) },
    headers: seconds > 0 ? { 'retry-after': String(seconds) } : NO_HEADERS,
    items,
  }
}
