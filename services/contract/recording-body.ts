import { type Fault, MAX_POINTS, POINT_WIDTH, readRecording } from './recording.ts'
import { scanRecording } from './recording-scan.ts'
import { type Summary, summarise, toSummary } from './signal.ts'

export type OriginRead = { ok: true; deviceId: string; timestamp: number } | { ok: false; fault: Fault }
export type SummaryRead = { ok: true; summary: Summary } | { ok: false; fault: Fault }

// One array for every body: it is filled and read within one call, and 32 KB for each message would keep the collector
// busy.
const POINTS = new Float64Array(POINT_WIDTH * MAX_POINTS)

/**
 * Judges a device's body by every rule and says whose it is and when it was recorded.
 * @param body at most MAX_BODY_BYTES bytes; the caller has bounded it
 * @param nowMs ms since the epoch; a timestamp may lie up to one day after it
 * @returns the recording's device and its time in ms since the epoch, or the body's first fault
 */
export const readOrigin = (body: Buffer, nowMs: number): OriginRead => {
  const scan = scanRecording(body, nowMs, POINTS)
  if (scan !== undefined) return { ok: true, deviceId: scan.deviceId, timestamp: scan.timestamp }
  const read = readRecording(body, nowMs)
  if (!read.ok) return read
  return { ok: true, deviceId: read.recording.deviceId, timestamp: read.recording.timestamp }
}

/** Judges a device's body as `readOrigin` does, and summarises it in the same pass. */
export const readSummary = (body: Buffer, nowMs: number): SummaryRead => {
  const scan = scanRecording(body, nowMs, POINTS)
  if (scan !== undefined) return { ok: true, summary: summarise(scan.deviceId, scan.timestamp, POINTS, scan.points) }
  const read = readRecording(body, nowMs)
  return read.ok ? { ok: true, summary: toSummary(read.recording) } : read
}
