import { NOWHERE, pastDigits, readDecimal, type Source, sourceOf, wholeBetween } from './decimal.ts'
import { isTimestamp, MAX_LATITUDE, MAX_LONGITUDE, MAX_POINTS, POINT_WIDTH } from './recording.ts'

/** What a scan found; the points themselves stand in the array that the caller gave. */
export type Scan = { deviceId: string; timestamp: number; points: number }

const [QUOTE, COLON, COMMA] = [0x22, 0x3a, 0x2c]
const [OPEN_BRACKET, CLOSE_BRACKET, OPEN_BRACE, CLOSE_BRACE] = [0x5b, 0x5d, 0x7b, 0x7d]
const DEVICE_ID_DIGITS = 24

const isSpace = (byte: number | undefined): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
const pastSpaces = (bytes: Buffer, from: number): number => {
  let at = from
  while (isSpace(bytes[at])) at++
  return at
}
// Compact bodies have no white space: one comparison, and no loop, finds that out.
const pastSpace = (bytes: Buffer, at: number): number => ((bytes[at] as number) > 0x20 ? at : pastSpaces(bytes, at))

// Each reader below takes the place where it starts, passes white space, and returns the place behind what it read, or
// NOWHERE when something else stands there. From NOWHERE it returns NOWHERE, so that readers can follow one another.

const past = (bytes: Buffer, from: number, byte: number): number => {
  if (from === NOWHERE) return NOWHERE
  const at = pastSpace(bytes, from)
  return bytes[at] === byte ? at + 1 : NOWHERE
}

/** Past a whole number of ms. One written otherwise than by up to 15 digits, as 1e3, is left to the slow reader. */
const pastOffset = (bytes: Buffer, from: number, points: Float64Array, index: number): number => {
  if (from === NOWHERE) return NOWHERE
  const start = pastSpace(bytes, from)
  const at = pastDigits(bytes, start)
  const offsetMs = wholeBetween(bytes, start, at)
  points[index] = offsetMs
  return Number.isNaN(offsetMs) ? NOWHERE : at
}

/** Past a number from `least` to `most`. */
const pastNumber = (
  source: Source,
  from: number,
  points: Float64Array,
  index: number,
  least: number,
  most: number,
): number => {
  const at = from === NOWHERE ? NOWHERE : readDecimal(source, pastSpace(source.bytes, from), points, index)
  if (at === NOWHERE) return NOWHERE
  const value = points[index] as number
  return value >= least && value <= most ? at : NOWHERE
}

/** Past one `[offsetMs, [lat, lon, speed]]`; its four numbers go to `points` from `index`. */
const pastPoint = (source: Source, from: number, points: Float64Array, index: number): number => {
  const { bytes } = source
  const offset = pastOffset(bytes, past(bytes, from, OPEN_BRACKET), points, index)
  const position = past(bytes, past(bytes, offset, COMMA), OPEN_BRACKET)
  const lat = pastNumber(source, position, points, index + 1, -MAX_LATITUDE, MAX_LATITUDE)
  const lon = pastNumber(source, past(bytes, lat, COMMA), points, index + 2, -MAX_LONGITUDE, MAX_LONGITUDE)
  const speed = pastNumber(source, past(bytes, lon, COMMA), points, index + 3, 0, Number.MAX_VALUE)
  return past(bytes, past(bytes, speed, CLOSE_BRACKET), CLOSE_BRACKET)
}

/** Past `[point, ...]`; `scan.points` then says how many there were. */
const pastPoints = (source: Source, from: number, points: Float64Array, scan: Scan): number => {
  const { bytes } = source
  let at = past(bytes, from, OPEN_BRACKET)
  for (let count = 0; count < MAX_POINTS; count++) {
    at = pastPoint(source, at, points, count * POINT_WIDTH)
    if (at === NOWHERE) return NOWHERE
    at = pastSpace(bytes, at)
    if (bytes[at] === CLOSE_BRACKET) {
      scan.points = count + 1
      return at + 1
    }
    at = past(bytes, at, COMMA)
  }
  return NOWHERE
}

const pastTimestamp = (bytes: Buffer, from: number, nowMs: number, scan: Scan): number => {
  const start = pastSpace(bytes, from)
  const at = pastDigits(bytes, start)
  scan.timestamp = wholeBetween(bytes, start, at)
  return isTimestamp(scan.timestamp, nowMs) ? at : NOWHERE
}

const isLowerHex = (byte: number | undefined): boolean =>
  byte !== undefined && ((byte >= 0x30 && byte <= 0x39) || (byte >= 0x61 && byte <= 0x66))

/** Past a device's id in quotes. */
const pastDeviceId = (bytes: Buffer, from: number, scan: Scan): number => {
  const start = past(bytes, from, QUOTE)
  const end = start + DEVICE_ID_DIGITS
  if (start === NOWHERE || bytes[end] !== QUOTE) return NOWHERE
  for (let at = start; at < end; at++) if (!isLowerHex(bytes[at])) return NOWHERE
  scan.deviceId = bytes.toString('latin1', start, end)
  return end + 1
}

const [DEVICE_ID_KEY, DATA_KEY] = [Buffer.from('"deviceId"'), Buffer.from('"data"')]
const [SEED_TIME_KEY, PREDECESSOR_TIME_KEY] = [Buffer.from('"timestamp"'), Buffer.from('"time"')]

/** Past this key and its colon. */
const pastKey = (bytes: Buffer, from: number, key: Buffer): number => {
  const start = pastSpace(bytes, from)
  for (let at = 0; at < key.length; at++) if (bytes[start + at] !== key[at]) return NOWHERE
  return past(bytes, start + key.length, COLON)
}

/** What is read, with which clock, and where it goes. */
type Task = { source: Source; nowMs: number; points: Float64Array; scan: Scan }

/** Past a field that was missing; one that has been read already is not looked for. */
const pastField = ({ source, nowMs, points, scan }: Task, from: number, timeKey: Buffer): number => {
  const { bytes } = source
  const data = scan.points === 0 ? pastKey(bytes, from, DATA_KEY) : NOWHERE
  if (data !== NOWHERE) return pastPoints(source, data, points, scan)
  const time = Number.isNaN(scan.timestamp) ? pastKey(bytes, from, timeKey) : NOWHERE
  if (time !== NOWHERE) return pastTimestamp(bytes, time, nowMs, scan)
  const deviceId = scan.deviceId === '' ? pastKey(bytes, from, DEVICE_ID_KEY) : NOWHERE
  return deviceId === NOWHERE ? NOWHERE : pastDeviceId(bytes, deviceId, scan)
}

/** Past the fields of an object and its closing brace. As many as are missing: then none is, and none stands twice. */
const pastFields = (task: Task, from: number, timeKey: Buffer, missing: number): number => {
  const { bytes } = task.source
  let at = from
  for (let left = missing; at !== NOWHERE && left > 0; left--) {
    at = past(bytes, pastField(task, at, timeKey), left === 1 ? CLOSE_BRACE : COMMA)
  }
  return at
}

const pastRecording = (task: Task, from: number): number => {
  const { source, scan } = task
  const { bytes } = source
  const deviceId = pastDeviceId(bytes, from, scan)
  if (deviceId === NOWHERE) return pastFields(task, from, SEED_TIME_KEY, 3)
  const inner = past(bytes, past(bytes, deviceId, COLON), OPEN_BRACE)
  return past(bytes, pastFields(task, inner, PREDECESSOR_TIME_KEY, 2), CLOSE_BRACE)
}

/**
 * Reads a body that is certainly a recording by every rule that `readRecording` knows, in either form, in one pass over
 * its bytes and without an object for each point. It declines whatever is wrong and also what is merely unusual (an
 * escape in a key, an offset of 1e3): `readRecording` then decides and names the first fault.
 * @param body at most MAX_BODY_BYTES bytes; the caller has bounded it
 * @param nowMs ms since the epoch; a timestamp may lie up to one day after it
 * @param points takes POINT_WIDTH x MAX_POINTS numbers, the same doubles that JSON.parse gives; overwritten
 * @returns undefined when it declines
 */
export const scanRecording = (body: Buffer, nowMs: number, points: Float64Array): Scan | undefined => {
  let end = body.length
  while (isSpace(body[end - 1])) end--
  // No reader passes a brace but its own, so this one, the last byte but for white space, keeps a body that is cut off
  // from being read past its end: that is safe, but V8 makes the code slower for good.
  if (body[end - 1] !== CLOSE_BRACE) return undefined
  const start = past(body, 0, OPEN_BRACE)
  if (start === NOWHERE) return undefined
  const scan: Scan = { deviceId: '', timestamp: Number.NaN, points: 0 }
  const at = pastRecording({ source: sourceOf(body), nowMs, points, scan }, start)
  return at === end ? scan : undefined
}
