import type { ErrorRequestHandler, Request, RequestHandler, Response } from 'express'
import { PROBLEM_CONTENT_TYPE, PROBLEMS, type Problem, type ProblemCode, toProblem } from '#contract/problem.ts'
import type { Logger } from '#runtime/log.ts'

/** An answer that is an error: the one way in which a route refuses. */
export class Refusal extends Error {
  override name = 'Refusal'
  readonly code: ProblemCode
  readonly more: Partial<Problem>
  readonly headers: Record<string, string>
  constructor(code: ProblemCode, more: Partial<Problem> = {}, headers: Record<string, string> = {}) {
    super(more.detail ?? code)
    this.code = code
    this.more = more
    this.headers = headers
  }
}

const send = (request: Request, response: Response, refusal: Refusal): void => {
  const problem = toProblem(refusal.code, {
    instance: undefined,
    requestId: String(response.getHeader('x-request-id')),
    ...refusal.more,
  } as Partial<Problem>)
  response.status(problem.status).set({ 'cache-control': 'no-store', ...refusal.headers })
  if (request.method === 'HEAD') return void response.end()
  response.type(PROBLEM_CONTENT_TYPE).send(JSON.stringify(problem))
}

/** What Express and the store throw, as what it means to a reader. */
const refusalOf = (error: Error & { status?: number; name: string }): Refusal | undefined => {
  if (error instanceof Refusal) return error
  if (error.status === 400 || error instanceof URIError)
    return new Refusal('malformed', { detail: 'the address is not well-formed' })
  if (error.name.startsWith('Mongo'))
    return new Refusal('unavailable', { detail: 'the store does not answer' }, { 'retry-after': '2' })
  return undefined
}

/** The one place where an error becomes an answer and a line in the log. */
export const answerErrors =
  (log: Logger): ErrorRequestHandler =>
  (error, request, response, _next) => {
    const refusal = refusalOf(error)
    if (refusal === undefined || PROBLEMS[refusal.code][0] >= 500) log.error({ err: error }, 'a request failed')
    if (response.headersSent) response.destroy()
    else send(request, response, refusal ?? new Refusal('internal'))
  }

export const notFound: RequestHandler = () => {
  throw new Refusal('not_found', { detail: 'no such address' })
}

/** Refuses what a known address does not allow. */
export const onlyMethods =
  (...methods: string[]): RequestHandler =>
  (request, _response, next) => {
    if (methods.includes(request.method)) return next()
    throw new Refusal(
      'method_not_allowed',
      { detail: `expected ${methods.join(' or ')}, got ${request.method}` },
      { allow: methods.join(', ') },
    )
  }

export const onlyGet = onlyMethods('GET', 'HEAD')
