import { randomBytes } from 'node:crypto'
import { sha256Hex } from '#contract/digest.ts'
import { messageIdFor, objectIdHexFor } from '#contract/ids.ts'
import { CONTENT_TYPE } from '#contract/message.ts'
import { readRecording } from '#contract/recording.ts'
import { toSummary } from '#contract/signal.ts'
import { type Entry, openStore, storeBatch } from '#runtime/signal-store.ts'
import { storeUri } from '../e2e/cluster.ts'
import { get, quantiles } from './load/load.ts'
import { type Station, withStation } from './station.ts'
import { memoryOf } from './usage.ts'

const SIGNALS = 1_000_000
const BATCH = 500
const BATCHES_AT_ONCE = 4
const DEVICES = 1_000
/** About 1 KB: what is read is one chunk whatever its size, and a million of 8 KB would only measure the disk. */
const POINTS = 16
const FIRST_MS = 1_735_683_480_000
const RATE = 500
/** Ids that are read, spread over the whole store. */
const SAMPLE = 5_000

const entryOf = (number: number): Entry => {
  const deviceId = (number % DEVICES).toString(16).padStart(24, '0')
  const timestamp = FIRST_MS + number * 1000
  const data = Array.from({ length: POINTS }, (_, at) => [at * 1001, [51.339764 + at / 1e5, 12.3392238, at / 10]])
  const body = Buffer.from(JSON.stringify({ deviceId, timestamp, data }))
  const read = readRecording(body, timestamp)
  if (!read.ok) throw new Error(`the benchmark's own recording is refused: ${read.fault.detail}`)
  const sha256 = sha256Hex(body)
  const messageId = messageIdFor(deviceId, randomBytes(16).toString('base64url'), sha256)
  return {
    idHex: objectIdHexFor(timestamp, messageId),
    messageId,
    contentType: CONTENT_TYPE,
    sha256Hex: sha256,
    receivedAtMs: timestamp,
    body,
    summary: toSummary(read.recording),
  }
}

/** Fills the store by the writer that signals uses. Returns some of the ids and the rate. */
const fill = async (name: string): Promise<{ ids: string[]; perSecond: number }> => {
  const store = openStore(await storeUri(), name, 'bench')
  const ids: string[] = []
  const startedAt = performance.now()
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < SIGNALS) {
      const from = next
      next += BATCH
      const entries = Array.from({ length: BATCH }, (_, at) => entryOf(from + at))
      await storeBatch(store, entries, new Date())
      if (from % (SIGNALS / SAMPLE) === 0) ids.push(...entries.slice(0, BATCH / (SIGNALS / SAMPLE)).map((e) => e.idHex))
      if (from % (SIGNALS / 10) === 0) console.error(`${from} of ${SIGNALS} signals stored`)
    }
  }
  await Promise.all(Array.from({ length: BATCHES_AT_ONCE }, worker))
  await store.client.close()
  return { ids, perSecond: Math.round((SIGNALS * 1000) / (performance.now() - startedAt)) }
}

const measured = async (station: Station, paths: string[], seconds: number) => {
  await get(station.name, paths, { seconds: 2, rate: RATE })
  const { accepted, refused, latenciesMs, seconds: took } = await get(station.name, paths, { seconds, rate: RATE })
  return { answered: accepted, refused, perSecond: Math.round(accepted / took), ms: quantiles(latenciesMs) }
}

/** Readers at 500 a second while a million signals are stored. */
export const benchApi = (seconds: number): Promise<object> =>
  withStation('bench-api', 1, async (station) => {
    const { ids, perSecond } = await fill(station.name)
    const lists = Array.from({ length: 100 }, (_, at) => `/api/signals?page=${at + 1}&limit=20`)
    const devices = Array.from({ length: 500 }, (_, at) => `/api/signals?deviceId=${at.toString(16).padStart(24, '0')}`)
    return {
      stored: await station.stored(),
      filledPerSecond: perSecond,
      list: await measured(station, lists, seconds),
      listOfDevice: await measured(station, devices, seconds),
      signal: await measured(
        station,
        ids.map((id) => `/api/signals/${id}`),
        seconds,
      ),
      raw: await measured(
        station,
        ids.map((id) => `/api/signals/${id}/raw`),
        seconds,
      ),
      memoryMegabytes: memoryOf(station.usage(), ['api']),
    }
  })
