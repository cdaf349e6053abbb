import type { DeviceRegistry, Registered } from './device-registry.ts'
import type { Logger } from './log.ts'

/** What a process knows of the registry, kept fresh by asking, so that no request waits for a store. */
export type DeviceWatch = {
  /** Undefined for a device that the registry does not know. */
  find: (deviceId: string) => Registered | undefined
  /** Undefined once the registry was read; afterwards the last known state is better than none. */
  problem: () => string | undefined
  /** Seconds since the registry was last read, or since the start. */
  ageSeconds: () => number
  close: () => Promise<void>
}

const POLL_MS = 5_000
const RETRY_MS = 1_000
/** Changes are found by their writers' clocks, which may be behind; a full reload finds what is further behind. */
const OVERLAP_MS = 60_000
/** Only a full reload finds that a document was deleted. */
const FULL_RELOAD_MS = 600_000

/** What is known, and when it was read. */
export type Known = { devices: Map<string, Registered>; fullAtMs: number; readAtMs: number; newestMs: number }

/**
 * From when on changes are to be asked for; undefined when everything is. A writer whose clock is ahead must not hide
 * what others write after it: no change is ever taken to be newer than the reading of it.
 */
export const changesSince = (known: Known | undefined, nowMs: number): number | undefined =>
  known === undefined || nowMs - known.fullAtMs >= FULL_RELOAD_MS || nowMs < known.fullAtMs
    ? undefined
    : Math.min(known.newestMs, known.readAtMs) - OVERLAP_MS

const read = async (registry: DeviceRegistry, known: Known | undefined, nowMs: number): Promise<Known> => {
  const sinceMs = changesSince(known, nowMs)
  const changed = await registry.read(sinceMs)
  const devices = sinceMs === undefined || known === undefined ? new Map<string, Registered>() : known.devices
  for (const device of changed) devices.set(device.deviceId, device)
  return {
    devices,
    fullAtMs: sinceMs === undefined || known === undefined ? nowMs : known.fullAtMs,
    readAtMs: nowMs,
    newestMs: changed.reduce((newest, { updatedAtMs }) => Math.max(newest, updatedAtMs), known?.newestMs ?? nowMs),
  }
}

/** Reads the registry until it works, then asks every 5 s for what changed. A store that is away leaves what is known. */
export const watchDevices = (registry: DeviceRegistry, log: Logger, pollMs = POLL_MS): DeviceWatch => {
  const startedAtMs = Date.now()
  let known: Known | undefined
  let away = false
  let timer: NodeJS.Timeout | undefined
  let closed = false
  const poll = async (): Promise<void> => {
    try {
      if (known === undefined) await registry.ensureIndexes()
      known = await read(registry, known, Date.now())
      if (away) log.info('the device registry is read again')
      away = false
    } catch (error) {
      if (!away) log.warn({ err: error }, 'the device registry cannot be read; what is known stays')
      away = true
    }
    if (!closed)
      timer = setTimeout(
        () => {
          running = poll()
        },
        known === undefined ? RETRY_MS : pollMs,
      )
  }
  let running = poll()
  return {
    find: (deviceId) => known?.devices.get(deviceId),
    problem: () => (known === undefined ? 'the device registry has not been read yet' : undefined),
    ageSeconds: () => Math.max(0, Date.now() - (known?.readAtMs ?? startedAtMs)) / 1000,
    close: () => {
      closed = true
      clearTimeout(timer)
      return running
    },
  }
}
