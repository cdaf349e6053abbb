import { DEVICE_ID } from '#contract/ids.ts'
import type { ListQuery } from '#runtime/signal-reader.ts'

/** A parameter that cannot be taken, and what was expected. */
export type QueryFault = { code: 'invalid_parameter' | 'page_too_deep'; parameter: string; detail: string }

const PARAMETERS = ['page', 'limit', 'sort', 'order', 'deviceId', 'from', 'to', 'status'] as const
const SORTS = ['timestamp', 'processedAt', 'deviceId', 'dataPoints'] as const
const REPEATABLE = ['reason', 'deviceId']
const MOST_DEVICES = 50
/** Beyond this many rows a page would cost the store as much as all those before it. */
const DEEPEST_ROW = 10_000

export const fault = (parameter: string, expected: string, got: string | null): QueryFault => ({
  code: 'invalid_parameter',
  parameter,
  detail: `${parameter}: expected ${expected}, got ${got === null ? 'nothing' : `"${got.slice(0, 60)}"`}`,
})

/** The known name that a wrong one is most like: equal but for case and signs, or sharing its start. */
export const suggestion = (name: string, known: readonly string[]): string => {
  const plain = (text: string) => text.toLowerCase().replaceAll(/[^a-z]/g, '')
  const match =
    known.find((candidate) => plain(candidate) === plain(name)) ??
    known.find((candidate) => plain(candidate).startsWith(plain(name).slice(0, 3)))
  return match === undefined ? `one of ${known.join(', ')}` : `"${match}"`
}

export const whole = (raw: string | null, fallback: number): number =>
  raw === null ? fallback : /^[0-9]{1,9}$/.test(raw) ? Number(raw) : Number.NaN

/** ms since the epoch, from digits or an ISO date; NaN when it is neither. */
const time = (raw: string): number =>
  /^-?[0-9]{1,15}$/.test(raw) ? Number(raw) : /^\d{4}-\d{2}-\d{2}/.test(raw) ? Date.parse(raw) : Number.NaN

/** The first parameter that is unknown, or there more than once. */
export const unknownAmong = (parameters: URLSearchParams, known: readonly string[]): QueryFault | undefined => {
  for (const name of new Set(parameters.keys())) {
    if (!known.includes(name)) return fault(name, suggestion(name, known), name)
    if (!REPEATABLE.includes(name) && parameters.getAll(name).length > 1)
      return fault(name, 'it once', 'it more than once')
  }
  return undefined
}

/** Which devices are meant, all when none is named, and from when to when, in ms since the epoch. */
export type Scope = { deviceIds: string[]; fromMs?: number; toMs?: number }

/** Reads `deviceId`, `from` and `to`. The first fault is returned. */
export const readScope = (parameters: URLSearchParams): { scope: Scope } | { fault: QueryFault } => {
  const scope: Scope = { deviceIds: parameters.getAll('deviceId') }
  const wrong = scope.deviceIds.find((id) => !DEVICE_ID.test(id))
  if (wrong !== undefined) return { fault: fault('deviceId', '24 lower-case hex digits', wrong) }
  if (scope.deviceIds.length > MOST_DEVICES)
    return { fault: fault('deviceId', `at most ${MOST_DEVICES} of them`, String(scope.deviceIds.length)) }
  for (const [name, field] of [
    ['from', 'fromMs'],
    ['to', 'toMs'],
  ] as const) {
    const raw = parameters.get(name)
    if (raw === null) continue
    scope[field] = time(raw)
    if (Number.isNaN(scope[field])) return { fault: fault(name, 'an ISO date or ms since the epoch', raw) }
  }
  return { scope }
}

/** Reads the query of a list. The first fault is returned: a parameter that is ignored would answer another question. */
export const readListQuery = (parameters: URLSearchParams): { query: ListQuery } | { fault: QueryFault } => {
  const unknown = unknownAmong(parameters, PARAMETERS)
  if (unknown !== undefined) return { fault: unknown }
  const [page, limit] = [whole(parameters.get('page'), 1), whole(parameters.get('limit'), 20)]
  if (!(page >= 1)) return { fault: fault('page', 'a whole number from 1', parameters.get('page')) }
  if (!(limit >= 1 && limit <= 100))
    return { fault: fault('limit', 'a whole number from 1 to 100', parameters.get('limit')) }
  if (page * limit > DEEPEST_ROW)
    return {
      fault: {
        code: 'page_too_deep',
        parameter: 'page',
        detail: `page x limit: expected at most ${DEEPEST_ROW}, got ${page * limit}; narrow the list with from, to or deviceId`,
      },
    }
  const sort = SORTS.find((known) => known === (parameters.get('sort') ?? 'timestamp'))
  if (sort === undefined) return { fault: fault('sort', `one of ${SORTS.join(', ')}`, parameters.get('sort')) }
  const order = (['asc', 'desc'] as const).find((known) => known === (parameters.get('order') ?? 'desc'))
  if (order === undefined) return { fault: fault('order', 'asc or desc', parameters.get('order')) }
  const read = readScope(parameters)
  if ('fault' in read) return read
  const status = parameters.get('status')
  if (status !== null && status !== 'processed') return { fault: fault('status', 'processed', status) }
  return { query: { page, limit, sort, order, ...read.scope, ...(status !== null && { status }) } }
}
