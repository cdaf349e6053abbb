import { deviceFrom, type Posted, post } from './device.ts'
import { problemText } from './http.ts'
import { makeTrack, seeded } from './track.ts'

export type SimulateOptions = {
  devices: number
  ratePerSecond: number
  points: number
  durationMs: number | undefined
  seed: number
  ingest: string
  master: string
  keyId: string
}

export type World = {
  now: () => number
  delay: (ms: number, signal: AbortSignal) => Promise<void>
  nonce: () => string
  signal: AbortSignal
  print: (line: string) => void
}

export type Totals = { sent: number; accepted: number; retried: number; refused: number; lastRefusal: string }

const MOST_TRIES = 10
const SUMMARY_MS = 10_000
/** A producer that cannot keep up is not helped by more requests at once: the fleet then falls behind its rate. */
const MOST_UNDER_WAY = 64

/** Posts until it is accepted, refused for good, or the tries are used up: always the same nonce and bytes. */
const deliver = async (
  options: SimulateOptions,
  world: World,
  device: ReturnType<typeof deviceFrom>,
  body: Buffer,
  totals: Totals,
): Promise<void> => {
  const nonce = world.nonce()
  for (let attempt = 0; attempt < MOST_TRIES && !world.signal.aborted; attempt++) {
    const answer: Posted | Error = await post(
      options.ingest,
      device,
      body,
      nonce,
      Math.floor(world.now() / 1000),
    ).catch((error: Error) => error)
    if (!(answer instanceof Error)) {
      if (answer.status === 202) return void totals.accepted++
      totals.lastRefusal = problemText(answer.status, answer.problem)
      if (answer.status !== 429 && answer.status !== 503) break
    } else totals.lastRefusal = answer.message
    totals.retried++
    await world.delay(answer instanceof Error ? 1000 : (answer.retryAfterSeconds ?? 1) * 1000, world.signal)
  }
  totals.refused++
}

/** The ids of a fleet: the same for the same seed. */
export const fleetIds = (count: number, seed: number): string[] => {
  const random = seeded(seed)
  const digit = () => Math.floor(random() * 16).toString(16)
  return Array.from({ length: count }, () => Array.from({ length: 24 }, digit).join(''))
}

/** Runs a fleet at a steady rate until the duration is over or the signal aborts; what is under way is finished. */
export const simulate = async (options: SimulateOptions, world: World): Promise<Totals> => {
  const totals: Totals = { sent: 0, accepted: 0, retried: 0, refused: 0, lastRefusal: '' }
  const random = seeded(options.seed + 1)
  const devices = fleetIds(options.devices, options.seed).map((id) => deviceFrom(options.master, id, options.keyId))
  const startedAt = world.now()
  const underWay = new Set<Promise<void>>()
  let summaryAt = startedAt + SUMMARY_MS
  const line = () =>
    `${totals.sent} sent, ${totals.accepted} accepted, ${totals.retried} retries, ${totals.refused} refused${totals.lastRefusal === '' ? '' : ` (last: ${totals.lastRefusal})`}`
  while (!world.signal.aborted && (options.durationMs === undefined || world.now() - startedAt < options.durationMs)) {
    const dueAt = startedAt + (totals.sent * 1000) / options.ratePerSecond
    if (dueAt > world.now()) await world.delay(dueAt - world.now(), world.signal)
    if (underWay.size >= MOST_UNDER_WAY) await Promise.race(underWay)
    if (world.signal.aborted) break
    const device = devices[totals.sent % devices.length]
    if (device === undefined) break
    const recording = { deviceId: device.deviceId, timestamp: world.now(), data: makeTrack(options.points, random) }
    totals.sent++
    const delivery = deliver(options, world, device, Buffer.from(JSON.stringify(recording)), totals)
    underWay.add(delivery)
    void delivery.finally(() => underWay.delete(delivery))
    if (world.now() >= summaryAt) {
      world.print(line())
      summaryAt += SUMMARY_MS
    }
  }
  await Promise.all(underWay)
  world.print(line())
  return totals
}
