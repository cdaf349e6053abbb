/** An RFC 9457 problem as every HTTP answer with an error carries it. */
export type Problem = {
  type: string
  title: string
  status: number
  code: string
  detail?: string
  /** Where in the request the fault lies. */
  errors?: { pointer?: string; parameter?: string; header?: string; detail: string }[]
  /** ms since the epoch, with `clock_skew`, so that a device can set its clock. */
  serverTime?: number
  requestId?: string
}

export const PROBLEM_CONTENT_TYPE = 'application/problem+json'

/** Every code that we answer, with its status and title. */
export const PROBLEMS = {
  malformed: [400, 'The request is malformed'],
  invalid_parameter: [400, 'A parameter is not valid'],
  page_too_deep: [400, 'The page lies too deep'],
  unauthenticated: [401, 'The request could not be authenticated'],
  clock_skew: [401, 'The request was signed too long ago or ahead of time'],
  device_disabled: [403, 'The device is disabled'],
  device_mismatch: [403, 'The body names another device'],
  forbidden: [403, 'The credential does not allow this'],
  not_found: [404, 'Nothing is here'],
  method_not_allowed: [405, 'The method is not allowed here'],
  conflict: [409, 'The request does not fit what is there'],
  nonce_reuse: [409, 'The nonce was used for another body'],
  not_open: [409, 'The dead letter is not open any more'],
  not_whole: [409, 'The dead letter is not kept whole'],
  not_running: [409, 'The operation has ended'],
  body_too_large: [413, 'The body is too large'],
  unsupported_media_type: [415, 'The content type is not supported'],
  range_not_satisfiable: [416, 'The range lies outside the bytes'],
  schema_invalid: [422, 'The body is not a recording'],
  rate_limited: [429, 'Too many requests'],
  internal: [500, 'Something went wrong here'],
  unavailable: [503, 'The service cannot take this now'],
} as const satisfies Record<string, readonly [number, string]>

export type ProblemCode = keyof typeof PROBLEMS

/** The problem of a code; `more` adds what is known of this occurrence. */
export const toProblem = (code: ProblemCode, more: Partial<Problem> = {}): Problem => {
  const [status, title] = PROBLEMS[code]
  return { type: `/api/problems/${code}`, title, status, code, ...more }
}
