import { createHash } from 'node:crypto'
import { ObjectId } from 'mongodb'
import { DEAD_LETTER_REASONS, type DeadLetterReason } from '#contract/dead-letter.ts'
import {
  DEAD_LETTER_STATES,
  type DeadLetterFilter,
  type DeadLetterPlace,
  type DeadLetterState,
} from '#runtime/dead-letter-store.ts'
import { fault, type QueryFault, readScope, unknownAmong, whole } from './query.ts'

export type DeadLetterQuery = {
  filter: DeadLetterFilter
  state: DeadLetterState
  limit: number
  after: DeadLetterPlace | undefined
}

const FILTERS = ['reason', 'deviceId', 'from', 'to', 'parked'] as const
const PARAMETERS = [...FILTERS, 'state', 'limit', 'cursor'] as const

/** Reads which dead letters are meant, by `reason`, `deviceId`, `from`, `to` and `parked`; others are not looked at. */
export const readFilter = (parameters: URLSearchParams): { filter: DeadLetterFilter } | { fault: QueryFault } => {
  const reasons = parameters.getAll('reason')
  const reason = reasons.find((name) => !(DEAD_LETTER_REASONS as readonly string[]).includes(name))
  if (reason !== undefined) return { fault: fault('reason', `one of ${DEAD_LETTER_REASONS.join(', ')}`, reason) }
  const read = readScope(parameters)
  if ('fault' in read) return read
  const parked = parameters.get('parked')
  if (parked !== null && parked !== 'true' && parked !== 'false')
    return { fault: fault('parked', 'true or false', parked) }
  return {
    filter: {
      reasons: reasons as DeadLetterReason[],
      ...read.scope,
      ...(parked !== null && { parked: parked === 'true' }),
    },
  }
}

/** What a cursor belongs to: with another filter it would name a place in another list. */
const fingerprintOf = (filter: DeadLetterFilter, state: DeadLetterState): string =>
  createHash('sha256')
    .update(JSON.stringify([state, filter.reasons, filter.deviceIds, filter.fromMs, filter.toMs, filter.parked]))
    .digest('hex')
    .slice(0, 16)

/** The cursor of the list that goes on after a place. */
export const writeCursor = (query: DeadLetterQuery, { archivedAt, id }: DeadLetterPlace): string =>
  Buffer.from(`${archivedAt.getTime()}.${id.toHexString()}.${fingerprintOf(query.filter, query.state)}`).toString(
    'base64url',
  )

const readCursor = (cursor: string): { place: DeadLetterPlace; fingerprint: string } | undefined => {
  const text = Buffer.from(cursor, 'base64url').toString()
  const [, ms, id, fingerprint] = /^([0-9]{1,15})\.([0-9a-f]{24})\.([0-9a-f]{16})$/.exec(text) ?? []
  if (ms === undefined || id === undefined || fingerprint === undefined) return undefined
  return { place: { archivedAt: new Date(Number(ms)), id: new ObjectId(id) }, fingerprint }
}

/** Reads the query of the list. The first fault is returned. */
export const readDeadLetterQuery = (
  parameters: URLSearchParams,
): { query: DeadLetterQuery } | { fault: QueryFault } => {
  const unknown = unknownAmong(parameters, PARAMETERS)
  if (unknown !== undefined) return { fault: unknown }
  const read = readFilter(parameters)
  if ('fault' in read) return read
  const limit = whole(parameters.get('limit'), 20)
  if (!(limit >= 1 && limit <= 100))
    return { fault: fault('limit', 'a whole number from 1 to 100', parameters.get('limit')) }
  const state = DEAD_LETTER_STATES.find((known) => known === (parameters.get('state') ?? 'open'))
  if (state === undefined)
    return { fault: fault('state', `one of ${DEAD_LETTER_STATES.join(', ')}`, parameters.get('state')) }
  const raw = parameters.get('cursor')
  const cursor = raw === null ? undefined : readCursor(raw)
  if (raw !== null && cursor?.fingerprint !== fingerprintOf(read.filter, state))
    return { fault: fault('cursor', 'the nextCursor of an answer to the same query', raw) }
  return { query: { filter: read.filter, state, limit, after: cursor?.place } }
}

/** What a summary or an operation may be narrowed by. */
export const FILTER_NAMES: readonly string[] = FILTERS
