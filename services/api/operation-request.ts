import type { DeadLetterFilter } from '#runtime/dead-letter-store.ts'
import type { OperationKind } from '#runtime/operation-store.ts'
import { FILTER_NAMES, readFilter } from './dead-letter-query.ts'
import { suggestion, unknownAmong } from './query.ts'

export type OperationRequest = {
  filter: DeadLetterFilter
  limit: number
  ratePerSecond: number
  dryRun: boolean
  note?: string
}

/** Where in the body the fault lies, as a JSON pointer. */
export type BodyFault = { pointer: string; detail: string }

const MOST = 100_000
const FASTEST = 1_000
/** Far below it a wait would be longer than a timer can be, and would not be waited at all. */
const SLOWEST = 0.001
const LONGEST_NOTE = 500
const FIELDS = ['filter', 'limit', 'ratePerSecond', 'dryRun'] as const

const faultAt = (pointer: string, expected: string, got: unknown): { fault: BodyFault } => ({
  fault: {
    pointer,
    detail: `expected ${expected}, got ${got === undefined ? 'nothing' : JSON.stringify(got).slice(0, 60)}`,
  },
})

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The reason of a discard: somebody will ask. */
export const readNote = (value: unknown): { note: string } | { fault: BodyFault } =>
  typeof value === 'string' && value.trim() !== '' && value.length <= LONGEST_NOTE
    ? { note: value.trim() }
    : faultAt('/reason', `a text of 1 to ${LONGEST_NOTE} characters`, value)

/** A filter in a body is that of the list: names and values are the same, a list where a parameter repeats. */
const readBodyFilter = (filter: unknown): { filter: DeadLetterFilter } | { fault: BodyFault } => {
  if (!isObject(filter)) return faultAt('/filter', 'an object', filter)
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(filter))
    for (const item of Array.isArray(value) ? value : [value]) {
      if (!['string', 'number', 'boolean'].includes(typeof item))
        return faultAt(`/filter/${name}`, 'a text, a number or true or false', item)
      parameters.append(name, String(item))
    }
  const unknown = unknownAmong(parameters, FILTER_NAMES)
  const read = unknown === undefined ? readFilter(parameters) : { fault: unknown }
  return 'filter' in read ? read : { fault: { pointer: `/filter/${read.fault.parameter}`, detail: read.fault.detail } }
}

/** Reads the body that asks for an operation. The first fault is returned: what is ignored would do something else. */
export const readOperationRequest = (
  kind: OperationKind,
  body: unknown,
): { request: OperationRequest } | { fault: BodyFault } => {
  if (!isObject(body)) return faultAt('', 'an object', body)
  const known: readonly string[] = kind === 'discard' ? [...FIELDS, 'reason'] : FIELDS
  const unknown = Object.keys(body).find((name) => !known.includes(name))
  if (unknown !== undefined) return faultAt(`/${unknown}`, suggestion(unknown, known), unknown)
  const { filter = {}, limit = MOST, ratePerSecond = 50, dryRun = false, reason } = body
  const read = readBodyFilter(filter)
  if ('fault' in read) return read
  if (!Number.isInteger(limit) || (limit as number) < 1 || (limit as number) > MOST)
    return faultAt('/limit', `a whole number from 1 to ${MOST}`, limit)
  if (typeof ratePerSecond !== 'number' || !(ratePerSecond >= SLOWEST && ratePerSecond <= FASTEST))
    return faultAt('/ratePerSecond', `a number from ${SLOWEST} to ${FASTEST}`, ratePerSecond)
  if (typeof dryRun !== 'boolean') return faultAt('/dryRun', 'true or false', dryRun)
  const plain = { filter: read.filter, limit: limit as number, ratePerSecond, dryRun }
  if (kind === 'replay' || dryRun) return { request: plain }
  const noted = readNote(reason)
  return 'fault' in noted ? noted : { request: { ...plain, note: noted.note } }
}
