import type { Status } from './object.ts'

/** An answer other than 2xx: the API's own reason and message. */
export class ApiError extends Error {
  override name = 'ApiError'
  readonly status: number
  readonly reason: string
  /** The reasons of `details.causes`, such as `ResourceVersionTooLarge`. */
  readonly causes: readonly string[]
  /** How long the server asks to be left alone, when it says. */
  readonly retryAfterMs: number | undefined
  constructor(
    status: number,
    reason: string,
    message: string,
    { causes = [], retryAfterMs }: { causes?: readonly string[]; retryAfterMs?: number | undefined } = {},
  ) {
    super(message)
    this.status = status
    this.reason = reason
    this.causes = causes
    this.retryAfterMs = retryAfterMs
  }
}

/** A write that was refused before it was sent, because this process does not lead (any more). */
export class NotLeadingError extends Error {
  override name = 'NotLeadingError'
}

/** What trying again cannot mend: a controller counts it and waits for the object to change. */
export class TerminalError extends Error {
  override name = 'TerminalError'
}

const isStatus = (error: unknown, status: number): boolean => error instanceof ApiError && error.status === status

export const isForbidden = (error: unknown): boolean => isStatus(error, 403)
export const isNotFound = (error: unknown): boolean => isStatus(error, 404)
export const isConflict = (error: unknown): boolean => isStatus(error, 409)
/** A name that was to be taken is that of another's object. */
export const isNameTaken = (error: unknown): error is ApiError =>
  error instanceof ApiError && error.reason === 'NameTaken'
export const isTooManyRequests = (error: unknown): boolean => isStatus(error, 429)

/**
 * The version that was asked for is not one the server can go on from: it keeps it no longer, or, after a restore of
 * its storage, has never come to it. Only a new list helps.
 */
export const isExpired = (error: unknown): boolean =>
  error instanceof ApiError &&
  (error.status === 410 ||
    error.reason === 'Expired' ||
    error.causes.includes('ResourceVersionTooLarge') ||
    error.message.startsWith('Too large resource version'))

const secondsToMs = (seconds: number | undefined): number | undefined =>
  seconds === undefined ? undefined : seconds * 1000

/** The error that a `metav1.Status` tells of. */
export const errorOfStatus = (status: Status, code = status.code ?? 500, retryAfterMs?: number): ApiError =>
  new ApiError(code, status.reason ?? '', status.message ?? `the API server answered ${code}`, {
    causes: status.details?.causes?.flatMap(({ reason }) => reason ?? []) ?? [],
    retryAfterMs: retryAfterMs ?? secondsToMs(status.details?.retryAfterSeconds),
  })

const LONGEST_TEXT = 500

/** The error of an answer whose body should be a `metav1.Status`, but comes from a proxy at times. */
export const errorOfAnswer = (code: number, text: string, retryAfterMs: number | undefined): ApiError => {
  try {
    return errorOfStatus(JSON.parse(text) as Status, code, retryAfterMs)
  } catch {
    return new ApiError(code, '', text.slice(0, LONGEST_TEXT) || `the API server answered ${code}`, { retryAfterMs })
  }
}
