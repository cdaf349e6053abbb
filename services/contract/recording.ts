import { DEVICE_ID } from './ids.ts'

/** One point on the wire: ms after the recording's timestamp, then latitude and longitude in degrees and speed. */
export type Point = [offsetMs: number, [lat: number, lon: number, speed: number]]

/** A recording as a device sends it, in either accepted form, normalised. */
export type Recording = { deviceId: string; timestamp: number; data: Point[] }

/** Why a body is no recording: a JSON pointer (RFC 6901) to the first fault and what was expected there. */
export type Fault = { pointer: string; detail: string }

export type RecordingRead = { ok: true; recording: Recording } | { ok: false; fault: Fault }

/** One GridFS chunk: a recording's raw bytes always fit in exactly one. */
export const MAX_BODY_BYTES = 261_120
export const MAX_POINTS = 1000
/** How many numbers a point is when points stand in one array: offsetMs, lat, lon, speed. */
export const POINT_WIDTH = 4
export const MAX_LATITUDE = 90
export const MAX_LONGITUDE = 180
const EARLIEST_MS = Date.UTC(2000, 0, 1)
const DAY_MS = 86_400_000

const fault = (pointer: string, detail: string): RecordingRead => ({ ok: false, fault: { pointer, detail } })
// Never the whole value: what a device nests ten thousand deep would overflow the stack of any printer.
const shown = (value: unknown): string => {
  if (Array.isArray(value)) return `an array of ${value.length}`
  if (typeof value === 'object' && value !== null) return 'an object'
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 40)) : String(value)
}
const escaped = (key: string): string => key.replaceAll('~', '~0').replaceAll('/', '~1')
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const inRange = (value: unknown, low: number, high: number): value is number =>
  typeof value === 'number' && value >= low && value <= high

/** True for whole ms since the epoch from 2000 to one day after `nowMs`. */
export const isTimestamp = (value: unknown, nowMs: number): value is number =>
  Number.isSafeInteger(value) && inRange(value, EARLIEST_MS, nowMs + DAY_MS)

const pointFault = (point: unknown, index: number): Fault | undefined => {
  const at = `/data/${index}`
  if (!Array.isArray(point) || point.length !== 2)
    return { pointer: at, detail: `expected [offsetMs, [lat, lon, speed]], got ${shown(point)}` }
  const [offsetMs, position] = point
  if (!Number.isSafeInteger(offsetMs) || offsetMs < 0)
    return { pointer: `${at}/0`, detail: `expected a whole number of ms from 0, got ${shown(offsetMs)}` }
  if (!Array.isArray(position) || position.length !== 3)
    return { pointer: `${at}/1`, detail: `expected [lat, lon, speed], got ${shown(position)}` }
  if (!inRange(position[0], -MAX_LATITUDE, MAX_LATITUDE))
    return { pointer: `${at}/1/0`, detail: `expected a latitude from -90 to 90, got ${shown(position[0])}` }
  if (!inRange(position[1], -MAX_LONGITUDE, MAX_LONGITUDE))
    return { pointer: `${at}/1/1`, detail: `expected a longitude from -180 to 180, got ${shown(position[1])}` }
  if (!inRange(position[2], 0, Number.MAX_VALUE))
    return { pointer: `${at}/1/2`, detail: `expected a finite speed from 0, got ${shown(position[2])}` }
  return undefined
}

const withoutBom = (body: Uint8Array): string | undefined => {
  try {
    // ignoreBOM keeps a leading U+FEFF in the text, where JSON.parse refuses it.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body)
  } catch {
    return undefined
  }
}

const parsed = (text: string): { value: unknown } | { detail: string } => {
  try {
    return { value: JSON.parse(text) }
  } catch (error) {
    return { detail: `not JSON: ${(error as Error).message.slice(0, 120)}` }
  }
}

/** The seed's form has exactly these keys; the predecessor's is `{"<deviceId>": {"data", "time"}}`. */
const SEED_KEYS = ['deviceId', 'timestamp', 'data']
const PREDECESSOR_KEYS = ['data', 'time']

const onlyKeys = (object: Record<string, unknown>, keys: string[], at: string): Fault | undefined => {
  const extra = Object.keys(object).find((key) => !keys.includes(key))
  if (extra !== undefined)
    return { pointer: `${at}/${escaped(extra)}`, detail: `unknown field; expected ${keys.join(', ')}` }
  const missing = keys.find((key) => !Object.hasOwn(object, key))
  return missing === undefined ? undefined : { pointer: `${at}/${missing}`, detail: 'missing' }
}

type Fields = {
  deviceId: unknown
  timestamp: unknown
  data: unknown
  at: { data: string; timestamp: string }
  quotes: number
}

const fieldsOf = (value: unknown): Fields | Fault => {
  if (!isObject(value)) return { pointer: '', detail: `expected an object, got ${shown(value)}` }
  const [onlyKey = '', ...others] = Object.keys(value)
  const inner = value[onlyKey]
  if (others.length === 0 && DEVICE_ID.test(onlyKey) && isObject(inner)) {
    const wrong = onlyKeys(inner, PREDECESSOR_KEYS, `/${onlyKey}`)
    const at = { data: `/${onlyKey}/data`, timestamp: `/${onlyKey}/time` }
    return wrong ?? { deviceId: onlyKey, timestamp: inner.time, data: inner.data, at, quotes: 6 }
  }
  const wrong = onlyKeys(value, SEED_KEYS, '')
  const at = { data: '/data', timestamp: '/timestamp' }
  return wrong ?? { deviceId: value.deviceId, timestamp: value.timestamp, data: value.data, at, quotes: 8 }
}

const countQuotes = (text: string): number => {
  let quotes = 0
  for (let at = text.indexOf('"'); at !== -1; at = text.indexOf('"', at + 1)) quotes++
  return quotes
}

/**
 * Reads a device's body: UTF-8 JSON in the seed's form or the predecessor's, no other fields.
 * @param body at most MAX_BODY_BYTES bytes; the caller has bounded it
 * @param nowMs ms since the epoch; a timestamp may lie up to one day after it
 * @returns the recording, or the first fault in the order in which a reader would meet it
 */
export const readRecording = (body: Uint8Array, nowMs: number): RecordingRead => {
  const text = withoutBom(body)
  if (text === undefined) return fault('', 'not UTF-8')
  const json = parsed(text)
  if ('detail' in json) return fault('', json.detail)
  const fields = fieldsOf(json.value)
  if ('pointer' in fields) return { ok: false, fault: fields }
  const { deviceId, timestamp, data, at, quotes } = fields
  if (typeof deviceId !== 'string' || !DEVICE_ID.test(deviceId))
    return fault('/deviceId', `expected 24 lower-case hex digits, got ${shown(deviceId)}`)
  if (!isTimestamp(timestamp, nowMs))
    return fault(at.timestamp, `expected ms since the epoch from 2000 to one day from now, got ${shown(timestamp)}`)
  if (!Array.isArray(data) || data.length < 1 || data.length > MAX_POINTS)
    return fault(at.data, `expected 1 to ${MAX_POINTS} points, got ${Array.isArray(data) ? data.length : shown(data)}`)
  for (let index = 0; index < data.length; index++) {
    const wrong = pointFault(data[index], index)
    if (wrong !== undefined) return fault(wrong.pointer.replace('/data', at.data), wrong.detail)
  }
  // JSON.parse keeps the last of two equal keys. All that is accepted here is numbers but the keys and the device's
  // id, so any further string, that of a hidden duplicate included, shows as a further pair of quotes.
  if (countQuotes(text) !== quotes) return fault('', 'a key stands twice')
  return { ok: true, recording: { deviceId, timestamp, data } }
}
