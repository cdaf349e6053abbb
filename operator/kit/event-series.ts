/** What is known of an event that happened, maybe more than once. */
export type Series = {
  name: string
  /** How often it happened since it is known. */
  count: number
  /** How often it had happened before, as an event of a former process tells. */
  before: number
  firstAtMs: number
  lastAtMs: number
  /** The count that was sent last, and when. */
  sent: { count: number; atMs: number }
}

export type Happened = 'first' | 'again' | 'counted' | 'spam'

export type EventSeries = {
  /**
   * Counts an event. The first is to be sent, the second makes it a series, which is sent, too; later ones are only
   * counted until the series is due.
   */
  happened: (key: string, regarding: string, name: string) => { what: Happened; series: Series | undefined }
  /** The series whose count is to be sent now. Those that are over are forgotten. */
  due: () => Series[]
  /** The series whose last count was not sent yet. */
  unsent: () => Series[]
}

/** client-go's figures (tools/events, tools/record): */
const FINISH_MS = 6 * 60_000
const REFRESH_MS = 30 * 60_000
const BURST = 25
const REFILL_MS = 300_000
const MOST_KNOWN = 4_096

type Bucket = { tokens: number; atMs: number }

/** Makes one event of many: a condition that flaps all night is one line with a count. */
export const createEventSeries = (nowMs: () => number): EventSeries => {
  const known = new Map<string, Series>()
  const buckets = new Map<string, Bucket>()

  /** The oldest goes when there is no room: it is what was heard of longest ago. */
  const put = <T>(map: Map<string, T>, key: string, value: T): T => {
    map.delete(key)
    if (map.size >= MOST_KNOWN)
      for (const oldest of map.keys()) {
        map.delete(oldest)
        break
      }
    map.set(key, value)
    return value
  }

  /** 25 events of an object at once, then one in 5 minutes. */
  const isSpam = (regarding: string): boolean => {
    const { tokens, atMs } = buckets.get(regarding) ?? { tokens: BURST, atMs: nowMs() }
    const filled = Math.min(BURST, tokens + (nowMs() - atMs) / REFILL_MS)
    put(buckets, regarding, { tokens: filled >= 1 ? filled - 1 : filled, atMs: nowMs() })
    return filled < 1
  }

  const isUnsent = ({ count, sent }: Series): boolean => count > sent.count

  return {
    happened: (key, regarding, name) => {
      const now = nowMs()
      const series = known.get(key)
      if (series === undefined || now - series.lastAtMs >= FINISH_MS) {
        if (isSpam(regarding)) return { what: 'spam', series: undefined }
        const first = { name, count: 1, before: 0, firstAtMs: now, lastAtMs: now, sent: { count: 1, atMs: now } }
        return { what: 'first', series: put(known, key, first) }
      }
      series.count++
      series.lastAtMs = now
      if (series.count > 2 || isSpam(regarding)) return { what: 'counted', series }
      series.sent = { count: series.count, atMs: now }
      return { what: 'again', series }
    },
    due: () => {
      const now = nowMs()
      const due: Series[] = []
      for (const [key, series] of known) {
        const over = now - series.lastAtMs >= FINISH_MS
        if (over) known.delete(key)
        if (!isUnsent(series) || !(over || now - series.sent.atMs >= REFRESH_MS)) continue
        series.sent = { count: series.count, atMs: now }
        due.push(series)
      }
      return due
    },
    unsent: () => [...known.values()].filter(isUnsent),
  }
}
