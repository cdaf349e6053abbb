import type { Request, RequestHandler, Response } from 'express'
import type { Exemplar } from '#runtime/metrics.ts'
import { markFailed, type Span, sampledFields, type Tracing } from '#runtime/tracing.ts'

const SPAN = Symbol('span')
type Traced = Response & { [SPAN]?: Span }

/** The template of the route that answered; `(none)` when there was none. */
export const routeOf = (request: Request): string =>
  request.route === undefined ? '(none)' : `${request.baseUrl}${request.route.path === '/' ? '' : request.route.path}`

/** Names the span of a request, when it is exported. */
export const exemplarOf = (response: Response): Exemplar => {
  const span = (response as Traced)[SPAN]
  return span === undefined ? undefined : sampledFields(span)
}

/**
 * A SERVER span for each request, active while it is answered.
 * @param trusted whether a request may say to which trace it belongs: a stranger would choose what is sampled
 */
export const traced =
  (tracing: Tracing, trusted: (request: Request) => boolean): RequestHandler =>
  (request, response, next) => {
    const { traceparent } = request.headers
    const parent = typeof traceparent === 'string' && trusted(request) ? traceparent : undefined
    const span = tracing.start(request.method, 'server', parent)
    ;(response as Traced)[SPAN] = span
    response.on('close', () => {
      const route = routeOf(request)
      span.updateName(`${request.method} ${route}`).setAttributes({
        'http.request.method': request.method,
        'http.route': route,
        'url.path': request.originalUrl.split('?')[0] ?? '',
        'url.scheme': request.protocol,
        'http.response.status_code': response.statusCode,
        'network.protocol.version': request.httpVersion,
        ...(request.ip !== undefined && { 'client.address': request.ip }),
      })
      if (response.statusCode >= 500) markFailed(span, String(response.statusCode))
      span.end()
    })
    tracing.run(span, next)
  }
