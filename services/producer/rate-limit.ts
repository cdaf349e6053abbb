/** A token bucket for each device: it holds one minute's requests and fills evenly. */
export type RateLimit = {
  /** Takes a token; returns the seconds to wait when there is none. */
  take: (deviceId: string, nowMs: number) => { ok: true } | { ok: false; retryAfterSeconds: number }
}

const MOST_DEVICES = 100_000
const MINUTE_MS = 60_000

/** @param perMinute requests that one device may make in a minute */
export const createRateLimit = (perMinute: number): RateLimit => {
  const buckets = new Map<string, { tokens: number; atMs: number }>()
  return {
    take: (deviceId, nowMs) => {
      const bucket = buckets.get(deviceId) ?? { tokens: perMinute, atMs: nowMs }
      const tokens = Math.min(perMinute, bucket.tokens + (Math.max(0, nowMs - bucket.atMs) * perMinute) / MINUTE_MS)
      // Set anew, so that the map's order is that of use and the first entry is the one longest unused.
      buckets.delete(deviceId)
      buckets.set(deviceId, { tokens: tokens >= 1 ? tokens - 1 : tokens, atMs: nowMs })
      if (buckets.size > MOST_DEVICES) buckets.delete(buckets.keys().next().value as string)
      if (tokens >= 1) return { ok: true }
      return { ok: false, retryAfterSeconds: Math.ceil(((1 - tokens) * MINUTE_MS) / perMinute / 1000) }
    },
  }
}
