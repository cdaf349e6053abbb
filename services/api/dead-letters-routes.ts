import { type Request, type Response, Router } from 'express'
import { ObjectId } from 'mongodb'
import {
  closeDeadLetter,
  countByReason,
  type DeadLetterDocument,
  type DeadLetters,
  findDeadLetter,
  listDeadLetters,
} from '#runtime/dead-letter-store.ts'
import { createOperation, type OperationKind, type Operations } from '#runtime/operation-store.ts'
import { toDeadLetterJson, toOperationJson, toRowJson, toSummaryJson } from './dead-letter-json.ts'
import { FILTER_NAMES, readDeadLetterQuery, readFilter, writeCursor } from './dead-letter-query.ts'
import { bodyOf, readJson, sound } from './json-body.ts'
import { readNote, readOperationRequest } from './operation-request.ts'
import { type QueryFault, unknownAmong } from './query.ts'
import { onlyMethods, Refusal } from './refusal.ts'
import type { Replay } from './replaying.ts'
import { toLinkHeader } from './representation.ts'

export type DeadLettersContext = {
  letters: DeadLetters
  operations: Operations
  replay: (id: ObjectId) => Promise<Replay>
  /** An operation was written down: somebody should execute it. */
  wake: () => void
  now: () => number
  newId: () => string
}

const idOf = (request: Request): ObjectId => {
  const id = String(request.params.id)
  if (!/^[0-9a-f]{24}$/.test(id))
    throw new Refusal('malformed', { detail: `id: expected 24 lower-case hex digits, got "${id.slice(0, 60)}"` })
  return new ObjectId(id)
}

const found = (letter: DeadLetterDocument | null): DeadLetterDocument => {
  if (letter === null) throw new Refusal('not_found', { detail: 'no dead letter has this id' })
  return letter
}

const parametersOf = (request: Request): URLSearchParams => new URL(request.originalUrl, 'http://api').searchParams

const answerable = <T extends object>(read: T | { fault: QueryFault }): T => {
  if ('fault' in read) throw new Refusal(read.fault.code, { detail: read.fault.detail, errors: [read.fault] })
  return read
}

const REFUSED: Record<Exclude<Replay, 'replayed'>, () => Refusal> = {
  not_open: () => new Refusal('not_open', { detail: 'it was replayed or discarded before' }),
  not_whole: () => new Refusal('not_whole', { detail: 'only a part of it could be kept, so it cannot be replayed' }),
  returned: () => later('the broker has no queue for it: is the pipeline declared?'),
  nacked: () => later('the broker refused it: is its queue full?'),
  timeout: () => later('the broker did not confirm it in time'),
  unavailable: () => later('the broker cannot be reached, or takes nothing now'),
  unpublishable: () => new Refusal('not_whole', { detail: 'its headers are more than a message can carry' }),
}

const later = (detail: string): Refusal => new Refusal('unavailable', { detail }, { 'retry-after': '2' })

/** `/api/dlq` and what lies below it. */
export const deadLettersRoutes = (context: DeadLettersContext): Router => {
  const { letters, operations, now, newId } = context
  const routes = Router()

  routes.get('/', async (request, response) => {
    const parameters = parametersOf(request)
    const { query } = answerable(readDeadLetterQuery(parameters))
    const rows = await listDeadLetters(letters, { ...query, limit: query.limit + 1 })
    const [data, last] = [rows.slice(0, query.limit), rows[query.limit - 1]]
    const nextCursor =
      rows.length > query.limit && last !== undefined
        ? writeCursor(query, { archivedAt: last.archivedAt, id: last._id })
        : null
    const self = `/api/dlq${parameters.size > 0 ? `?${parameters}` : ''}`
    const next = new URLSearchParams(parameters)
    next.set('cursor', nextCursor ?? '')
    const links = { self, ...(nextCursor !== null && { next: `/api/dlq?${next}` }) }
    response.set('link', toLinkHeader(links)).set('cache-control', 'private, no-cache')
    const pagination = { limit: query.limit, hasMore: nextCursor !== null, nextCursor }
    response.json({ data: data.map(toRowJson), pagination, links })
  })

  routes.get('/summary', async (request, response) => {
    const parameters = parametersOf(request)
    const unknown = unknownAmong(parameters, FILTER_NAMES)
    const { filter } = answerable(unknown === undefined ? readFilter(parameters) : { fault: unknown })
    response.set('cache-control', 'no-store').json(toSummaryJson(await countByReason(letters, filter, 'open')))
  })

  const operate = (kind: OperationKind) => async (request: Request, response: Response) => {
    const asked = sound(readOperationRequest(kind, bodyOf(request))).request
    const { dryRun, ...rest } = asked
    const summary = toSummaryJson(await countByReason(letters, rest.filter, 'open'))
    const total = Math.min(rest.limit, summary.total)
    if (dryRun) return void response.json({ matched: summary.total, total, byReason: summary.byReason })
    const operation = await createOperation(operations, { _id: newId(), kind, ...rest, total }, new Date(now()))
    context.wake()
    response.status(202).location(`/api/operations/${operation._id}`).json(toOperationJson(operation))
  }
  routes.post('/replays', readJson, operate('replay'))
  routes.post('/discards', readJson, operate('discard'))
  routes.all(['/replays', '/discards'], onlyMethods('POST'))

  routes.get('/:id', async (request, response) => {
    const letter = found(await findDeadLetter(letters, idOf(request)))
    response.set('cache-control', 'no-store').json(toDeadLetterJson(letter))
  })

  routes.post('/:id/replay', async (request, response) => {
    const id = idOf(request)
    found(await findDeadLetter(letters, id))
    const outcome = await context.replay(id)
    if (outcome !== 'replayed') throw REFUSED[outcome]()
    const { body: _, envelope: __, ...row } = found(await findDeadLetter(letters, id))
    response.json(toRowJson(row))
  })

  routes.post('/:id/discard', readJson, async (request: Request, response: Response) => {
    const id = idOf(request)
    const body = bodyOf(request)
    const { note } = sound(readNote((body as { reason?: unknown } | null | undefined)?.reason))
    found(await findDeadLetter(letters, id))
    if (!(await closeDeadLetter(letters, id, { state: 'discarded', at: new Date(now()), note })))
      throw REFUSED.not_open()
    const { body: _, envelope: __, ...row } = found(await findDeadLetter(letters, id))
    response.json(toRowJson(row))
  })

  routes.all(['/:id/replay', '/:id/discard'], onlyMethods('POST'))
  routes.all(['/', '/summary', '/:id'], onlyMethods('GET', 'HEAD'))
  return routes
}
