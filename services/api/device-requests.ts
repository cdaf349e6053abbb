import { KEY_ID } from '#contract/device-key.ts'
import { DEVICE_ID } from '#contract/ids.ts'

/** A field or parameter that cannot be taken, and what was expected. */
export type RequestFault = { pointer?: string; parameter?: string; detail: string }
type Read<T> = { ok: true; value: T } | { ok: false; fault: RequestFault }

/** What is asked of a new key; times in ms. */
export type RotateRequest = {
  keyId?: string
  secret?: Buffer
  notBeforeMs?: number
  notAfterMs?: number
  retireAfterMs: number
}

/** How long a device may take to be given its new key, unless the request says otherwise: a day. */
const RETIRE_AFTER_SECONDS = 86_400
const YEAR_SECONDS = 31_536_000

type Field = [expected: string, accepts: (value: unknown) => boolean]

const text = (form: RegExp) => (value: unknown) => typeof value === 'string' && form.test(value)
const toMs = (time: unknown): number => (typeof time === 'number' ? time : Date.parse(String(time)))

// A Date holds some 275,000 years either way, and a former key ends up to a year after the new one begins.
const [FIRST_MS, LAST_MS] = [Date.UTC(-9999, 0, 1), Date.UTC(9999, 11, 31, 23, 59, 59, 999)]
const isTime = (value: unknown): boolean => {
  const isWritten = typeof value === 'string' && /^\d{4}-\d{2}-\d{2}T.*(Z|[+-]\d{2}:\d{2})$/.test(value)
  if (!isWritten && !Number.isSafeInteger(value)) return false
  const ms = toMs(value)
  return ms >= FIRST_MS && ms <= LAST_MS
}
const TIME: Field = ['an ISO time with its zone, or ms since the epoch, before the year 10000', isTime]

const ROTATE: Record<string, Field> = {
  keyId: ['1 to 32 letters, digits, dots, dashes or underscores', text(KEY_ID)],
  secret: ['64 lower-case hex digits', text(/^[0-9a-f]{64}$/)],
  notBefore: TIME,
  notAfter: TIME,
  retireAfterSeconds: [
    `whole seconds from 0 to ${YEAR_SECONDS}`,
    (value) => Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) <= YEAR_SECONDS,
  ],
}

const CHANGE: Record<string, Field> = { disabled: ['true or false', (value) => typeof value === 'boolean'] }

const faultOf = (pointer: string, detail: string): { ok: false; fault: RequestFault } => ({
  ok: false,
  fault: { pointer, detail },
})

const readFields = (body: unknown, fields: Record<string, Field>): Read<Record<string, unknown>> => {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return faultOf('', 'expected an object')
  for (const [name, value] of Object.entries(body)) {
    const field = Object.hasOwn(fields, name) ? fields[name] : undefined
    if (field === undefined)
      return faultOf(`/${name.slice(0, 60)}`, `unknown field; expected ${Object.keys(fields).join(', ')}`)
    // Only a time is repeated: anything else may be a secret, or one in the wrong place.
    const got = field === TIME ? `, got ${JSON.stringify(value).slice(0, 60)}` : ''
    if (!field[1](value)) return faultOf(`/${name}`, `expected ${field[0]}${got}`)
  }
  return { ok: true, value: body as Record<string, unknown> }
}

/** Reads the body of a rotation; none at all asks for the next derived key. */
export const readRotateRequest = (body: unknown = {}): Read<RotateRequest> => {
  const read = readFields(body, ROTATE)
  if (!read.ok) return read
  const { keyId, secret, notBefore, notAfter, retireAfterSeconds = RETIRE_AFTER_SECONDS } = read.value
  if (notBefore !== undefined && notAfter !== undefined && toMs(notAfter) <= toMs(notBefore))
    return faultOf('/notAfter', 'expected a time after notBefore')
  return {
    ok: true,
    value: {
      ...(keyId !== undefined && { keyId: String(keyId) }),
      ...(secret !== undefined && { secret: Buffer.from(String(secret), 'hex') }),
      ...(notBefore !== undefined && { notBeforeMs: toMs(notBefore) }),
      ...(notAfter !== undefined && { notAfterMs: toMs(notAfter) }),
      retireAfterMs: Number(retireAfterSeconds) * 1000,
    },
  }
}

/** Reads the body that changes a device. */
export const readDeviceChange = (body: unknown): Read<{ disabled: boolean }> => {
  const read = readFields(body, CHANGE)
  if (!read.ok) return read
  if (read.value.disabled === undefined) return faultOf('/disabled', 'missing; expected true or false')
  return { ok: true, value: { disabled: read.value.disabled === true } }
}

export type DevicesQuery = { limit: number; after: string }

/** Reads the query of the list: `limit` from 1 to 100, and the `cursor` that the page before gave. */
export const readDevicesQuery = (parameters: URLSearchParams): Read<DevicesQuery> => {
  const fault = (parameter: string, detail: string) => ({ ok: false, fault: { parameter, detail } }) as const
  for (const name of new Set(parameters.keys())) {
    if (name !== 'limit' && name !== 'cursor') return fault(name, `${name}: expected limit or cursor`)
    if (parameters.getAll(name).length > 1) return fault(name, `${name}: expected it once`)
  }
  const limit = parameters.get('limit') ?? '20'
  if (!/^[1-9][0-9]{0,2}$/.test(limit) || Number(limit) > 100)
    return fault('limit', `limit: expected a whole number from 1 to 100, got "${limit.slice(0, 60)}"`)
  const after = parameters.get('cursor') ?? ''
  if (after !== '' && !DEVICE_ID.test(after)) return fault('cursor', 'cursor: expected nextCursor of the page before')
  return { ok: true, value: { limit: Number(limit), after } }
}
