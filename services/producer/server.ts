import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { PROBLEM_CONTENT_TYPE, toProblem } from '#contract/problem.ts'
import type { Logger } from '#runtime/log.ts'
import { type Answer, INGEST_PATH, type IngestContext, ingest } from './ingest.ts'
import type { createRequestTraces, RequestTrace } from './request-trace.ts'

/** The results that are counted, by the status that was answered. */
export const RESULTS = [
  'accepted',
  'replayed',
  'malformed',
  'unauthenticated',
  'forbidden',
  'conflict',
  'too_large',
  'unsupported',
  'invalid',
  'rate_limited',
  'unavailable',
  'internal',
  'not_found',
] as const
export type Result = (typeof RESULTS)[number]

const BY_STATUS: Record<number, Result> = {
  202: 'accepted',
  400: 'malformed',
  401: 'unauthenticated',
  403: 'forbidden',
  404: 'not_found',
  405: 'not_found',
  409: 'conflict',
  413: 'too_large',
  415: 'unsupported',
  422: 'invalid',
  429: 'rate_limited',
  503: 'unavailable',
}

export const resultOf = ({ status, headers }: Answer): Result =>
  headers['idempotency-replayed'] !== undefined ? 'replayed' : (BY_STATUS[status] ?? 'internal')

const problem = (
  code: Parameters<typeof toProblem>[0],
  detail: string,
  headers: Record<string, string> = {},
): Answer => {
  const body = toProblem(code, { detail })
  return { status: body.status, body, headers }
}

const answerTo = async (context: IngestContext, request: IncomingMessage, trace?: RequestTrace): Promise<Answer> => {
  const url = request.url ?? ''
  if (url !== INGEST_PATH)
    return url.startsWith(`${INGEST_PATH}?`)
      ? problem('malformed', 'expected no query: it is not part of what is signed')
      : problem('not_found', `expected POST ${INGEST_PATH}`)
  if (request.method !== 'POST')
    return problem('method_not_allowed', `expected POST, got ${request.method}`, { allow: 'POST' })
  return ingest(context, request, trace)
}

const send = (response: ServerResponse, { status, body, headers }: Answer): void => {
  const text = JSON.stringify(body)
  response.writeHead(status, {
    'content-type': 'type' in body ? PROBLEM_CONTENT_TYPE : 'application/json',
    'content-length': Buffer.byteLength(text),
    ...headers,
  })
  response.end(text)
}

/** What of a header, a body and a silent sender is waited for; a device on a slow line sends 10 KB in seconds. */
const LIMITS = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  keepAliveTimeout: 65_000,
  maxHeaderSize: 8_192,
  connectionsCheckingInterval: 1_000,
}

/**
 * The server that devices post to: node:http itself, because a framework costs more than all the checks together.
 * @param seen told the answer to each request and the seconds it took
 * @param traces starts the trace of a request, where traces are on
 */
export const createIngestServer = (
  context: IngestContext,
  seen: (answer: Answer, request: IncomingMessage, seconds: number, exemplar?: Record<string, string>) => void,
  log: Logger,
  traces?: ReturnType<typeof createRequestTraces>,
): Server =>
  createServer(LIMITS, async (request, response) => {
    const startedAt = context.now()
    const isIngest = request.url === INGEST_PATH && request.method === 'POST'
    const trace = isIngest ? traces?.(request, INGEST_PATH, startedAt) : undefined
    const answer = await answerTo(context, request, trace).catch((error: Error) => {
      log.error({ err: error, ...trace?.exemplar() }, 'ingest failed')
      return problem('internal', 'the request could not be handled')
    })
    if (!request.complete) response.shouldKeepAlive = false // the rest of its body would be taken for a request
    send(response, answer)
    trace?.answered(answer.status)
    seen(answer, request, (context.now() - startedAt) / 1000, trace?.exemplar())
  })
