import { sha256Hex } from '#contract/digest.ts'
import { objectIdHexFor } from '#contract/ids.ts'
import type { Recording } from '#contract/recording.ts'
import { toSummary } from '#contract/signal.ts'
import type { Entry } from '#runtime/signal-store.ts'

/** What is stored of a valid recording, with whatever is changed. */
export const entry = (change: Partial<Entry> & { messageId: string }): Entry => {
  const recording: Recording = {
    deviceId: '66bb584d4ae73e488c30a072',
    timestamp: 1735683480000,
    data: [[762, [51.339764, 12.339223833333334, 1.2038]]],
  }
  const body = Buffer.from(JSON.stringify(recording))
  return {
    idHex: objectIdHexFor(recording.timestamp, change.messageId),
    contentType: 'application/json',
    sha256Hex: sha256Hex(body),
    receivedAtMs: recording.timestamp,
    body,
    summary: toSummary(recording),
    ...change,
  }
}
