import express, { type Express, type RequestHandler } from 'express'
import type { Redis } from 'ioredis'
import { PROBLEMS, type ProblemCode } from '#contract/problem.ts'
import type { Logger } from '#runtime/log.ts'
import type { Exemplar } from '#runtime/metrics.ts'
import type { Store } from '#runtime/signal-store.ts'
import type { Tracing } from '#runtime/tracing.ts'
import { carriesToken, requireToken } from './bearer.ts'
import { type DeadLettersContext, deadLettersRoutes } from './dead-letters-routes.ts'
import { type DevicesContext, devicesRoutes } from './devices-routes.ts'
import { checkHealth, type DependencyCheck } from './health.ts'
import { lifecycleRoutes } from './lifecycle-routes.ts'
import { operationsRoutes } from './operations-routes.ts'
import { answerErrors, notFound, onlyGet, Refusal } from './refusal.ts'
import { exemplarOf, routeOf, traced } from './request-trace.ts'
import { signalsRoutes } from './signals-routes.ts'

export type AppContext = {
  store: Store
  deadLetters: DeadLettersContext
  /** How many dead letters are open, or undefined while nobody knows. */
  openLetters: () => Promise<number | undefined>
  redis: Redis
  devices: DevicesContext
  token: () => string | undefined
  dependencies: Record<string, DependencyCheck>
  version: string
  now: () => number
  uptimeSeconds: () => number
  newId: () => string
  /** Told the template of the route, never the address: ids would make a metric of each. */
  answered: (route: string, method: string, status: number, seconds: number, exemplar: Exemplar) => void
  asked: () => void
  log: Logger
  tracing: Tracing | undefined
}

const SECURITY = {
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
}

const observed =
  ({ now, newId, asked, answered }: AppContext): RequestHandler =>
  (request, response, next) => {
    const startedAt = now()
    asked()
    const sent = request.headers['x-request-id']
    const id = typeof sent === 'string' && /^[A-Za-z0-9._-]{1,64}$/.test(sent) ? sent : newId()
    response.set({ ...SECURITY, 'x-request-id': id })
    response.on('close', () =>
      answered(routeOf(request), request.method, response.statusCode, (now() - startedAt) / 1000, exemplarOf(response)),
    )
    next()
  }

/** The API as an Express application; it holds no state of its own. */
export const createApp = (context: AppContext): Express => {
  const app = express().disable('x-powered-by').set('query parser', 'simple').set('case sensitive routing', true)
  app.use(observed(context))
  if (context.tracing !== undefined)
    app.use(traced(context.tracing, ({ headers }) => carriesToken(headers.authorization, context.token())))
  app.use('/api/devices', requireToken(context.token), devicesRoutes(context.devices))
  app.use('/api/dlq', requireToken(context.token), deadLettersRoutes(context.deadLetters))
  app.use('/api/operations', requireToken(context.token), operationsRoutes(context.deadLetters))
  app.use('/api', onlyGet)
  app.get('/api/health', async (request, response) => {
    const detailed = carriesToken(request.headers.authorization, context.token())
    const [health, open] = await Promise.all([
      checkHealth(context.dependencies, context, detailed),
      context.openLetters(),
    ])
    response
      .status(health.status === 'down' ? 503 : 200)
      .set('cache-control', 'no-store')
      .json({ ...health, ...(open !== undefined && { deadLetters: { open } }) })
  })
  app.get('/api/problems/:code', (request, response) => {
    const code = request.params.code as ProblemCode
    if (!Object.hasOwn(PROBLEMS, code)) throw new Refusal('not_found', { detail: 'no such problem' })
    const [status, title] = PROBLEMS[code]
    response.json({ code, status, title })
  })
  const { store, redis, token } = context
  app.use('/api/signals', requireToken(token), lifecycleRoutes(store, redis), signalsRoutes(store))
  app.use(notFound)
  app.use(answerErrors(context.log))
  return app
}
