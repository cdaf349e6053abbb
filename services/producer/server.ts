import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { MAX_BATCH_BYTES } from '#contract/batch.ts'
import { PROBLEM_CONTENT_TYPE } from '#contract/problem.ts'
import { MAX_BODY_BYTES } from '#contract/recording.ts'
import type { Logger } from '#runtime/log.ts'
import { type Answer, type BatchAnswer, refused } from './answers.ts'
import { ingestBatch } from './batch.ts'
import { type IngestContext, ingest } from './ingest.ts'
import { type Received, withReceived } from './reception.ts'
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

type Route = {
  path: string
  maxBytes: number
  room: 'room' | 'batchRoom'
  take: (context: IngestContext, received: Received) => Promise<Answer | BatchAnswer>
}

const ROUTES = new Map<string, Route>(
  (
    [
      { path: '/v1/ingest', maxBytes: MAX_BODY_BYTES, room: 'room', take: ingest },
      { path: '/v1/ingest/batch', maxBytes: MAX_BATCH_BYTES, room: 'batchRoom', take: ingestBatch },
    ] satisfies Route[]
  ).map((route) => [route.path, route]),
)

const answerTo = async (
  context: IngestContext,
  request: IncomingMessage,
  route: Route | undefined,
  proceed: (() => void) | undefined,
  trace: RequestTrace | undefined,
): Promise<Answer | BatchAnswer> => {
  if (route === undefined)
    return ROUTES.has(request.url?.split('?')[0] ?? '')
      ? refused('malformed', { detail: 'expected no query: it is not part of what is signed' })
      : refused('not_found', { detail: `expected POST ${[...ROUTES.keys()].join(' or ')}` })
  if (request.method !== 'POST')
    return refused('method_not_allowed', { detail: `expected POST, got ${request.method}` }, { allow: 'POST' })
  const bounds = { ...route, room: context[route.room] }
  return withReceived(context, request, bounds, proceed, trace, (received) => route.take(context, received))
}

const send = (response: ServerResponse, { status, body, headers }: Answer | BatchAnswer): void => {
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
 * @param seen told the answer to each recording, sent alone or in a batch, and the seconds that its request took
 * @param traces starts the trace of a request, where traces are on
 */
export const createIngestServer = (
  context: IngestContext,
  seen: (answer: Answer, seconds: number, exemplar?: Record<string, string>) => void,
  log: Logger,
  traces?: ReturnType<typeof createRequestTraces>,
): Server => {
  const handle = async (request: IncomingMessage, response: ServerResponse, proceed?: () => void): Promise<void> => {
    const startedAt = context.now()
    const route = ROUTES.get(request.url ?? '')
    const isTraced = route !== undefined && request.method === 'POST'
    const trace = isTraced ? traces?.(request, route.path, startedAt) : undefined
    const answer = await answerTo(context, request, route, proceed, trace).catch((error: Error) => {
      log.error({ err: error, ...trace?.exemplar() }, 'ingest failed')
      return refused('internal', { detail: 'the request could not be handled' })
    })
    if (!request.complete) response.shouldKeepAlive = false // the rest of its body would be taken for a request
    send(response, answer)
    trace?.answered(answer.status)
    const seconds = (context.now() - startedAt) / 1000
    if ('items' in answer) for (const item of answer.items) seen(item, seconds, trace?.exemplar())
    else seen(answer, seconds, trace?.exemplar())
  }
  return createServer(LIMITS, (request, response) => void handle(request, response)).on(
    'checkContinue',
    // Whoever asks before sending a body is told to go on only once its headers are found to be right.
    (request, response) => void handle(request, response, () => response.writeContinue()),
  )
}
