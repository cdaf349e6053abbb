import type { Method } from './client.ts'
import { ApiError } from './errors.ts'

/** client-go's number of retries. */
const MOST_RETRIES = 10
/** What the waits of one request may come to; after that its caller has better things to do, such as other keys. */
const LONGEST_WAIT_MS = 60_000
const RECONNECT_MS = 1_000

/** The milliseconds that a `Retry-After` asks for: seconds, or a date (RFC 9110 10.2.3); undefined when it is neither. */
export const readRetryAfter = (header: string | undefined, nowMs: number): number | undefined => {
  if (header === undefined) return undefined
  if (/^\d+$/.test(header)) return Number(header) * 1000
  // Date.parse makes a date of nearly anything.
  const atMs = /^[A-Z][a-z]+,? /.test(header) ? Date.parse(header) : Number.NaN
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - nowMs)
}

/** A connection that ended under a request: whether it was carried out is not known. */
const isReset = (error: unknown): boolean => {
  const { code } = error as { code?: string }
  return code === 'ECONNRESET' || code === 'EPIPE' || code === 'UND_ERR_SOCKET' || code === 'UND_ERR_INFO'
}

/**
 * How long to wait before a failed request is sent again; undefined when it is not.
 *
 * As client-go: whenever the server says when to come back, with 429 or 5xx. Two exceptions: a POST is sent again only
 * after 429 and 503, which say that it was not carried out; and a lost connection is tried again only for reads.
 * @param waitedMs what the request has waited before
 */
export const retryDelayMs = (method: Method, error: unknown, retries: number, waitedMs: number): number | undefined => {
  const delayMs = delayOf(method, error)
  return delayMs === undefined || retries >= MOST_RETRIES || waitedMs + delayMs > LONGEST_WAIT_MS ? undefined : delayMs
}

const delayOf = (method: Method, error: unknown): number | undefined => {
  if (!(error instanceof ApiError)) return method === 'GET' && isReset(error) ? RECONNECT_MS : undefined
  if (error.status !== 429 && error.status < 500) return undefined
  if (method === 'POST' && error.status !== 429 && error.status !== 503) return undefined
  return error.retryAfterMs
}
