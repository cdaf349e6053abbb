import { type ErrorRequestHandler, json, type Request } from 'express'
import type { Problem } from '#contract/problem.ts'
import { Refusal } from './refusal.ts'

/** More than the longest filter takes. */
const MOST = '64kb'

const refuse: ErrorRequestHandler = (error: Error & { type?: string; status?: number }, _request, _response, next) => {
  if (error.type === 'entity.too.large')
    return next(new Refusal('body_too_large', { detail: `expected at most ${MOST}` }))
  if (error.status === 415) return next(new Refusal('unsupported_media_type', { detail: error.message }))
  if (error.type === 'entity.parse.failed') return next(new Refusal('malformed', { detail: 'the body is not JSON' }))
  if (error.status === 400)
    return next(new Refusal('malformed', { detail: `the body cannot be read: ${error.message}` }))
  next(error)
}

/** Reads JSON bodies; what is none is refused. */
export const readJson = [json({ limit: MOST, strict: false }), refuse]

/** The body of a request, or undefined when it has none. @throws Refusal when it has one that is not JSON by its type */
export const bodyOf = (request: Request): unknown => {
  const sent = request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0
  if (sent && !request.is('application/json'))
    throw new Refusal('unsupported_media_type', { detail: 'expected application/json' })
  return sent ? request.body : undefined
}

/** What was read of a body, or the refusal that its fault is. */
export const sound = <T extends object>(read: T | { fault: { pointer: string; detail: string } }): T => {
  if (!('fault' in read)) return read
  const problem: Partial<Problem> = {
    detail: `${read.fault.pointer || '/'}: ${read.fault.detail}`,
    errors: [read.fault],
  }
  throw new Refusal('malformed', problem)
}
