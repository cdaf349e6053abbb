/**
 * One look at a queue: messages ready and unacknowledged, and the broker's counters of messages published and
 * acknowledged. Counters only grow, but for a restart of the broker.
 */
export type Sample = { atMs: number; ready: number; unacked: number; published: number; acked: number }

type Counter = 'published' | 'acked'

/** RabbitMQ's counters move every 5 s (`collect_statistics_interval`); a rate over less is none or a multiple. */
const STATISTICS_MS = 4_900
const RATE_WINDOW_MS = 15_000
/** Looks that a rate needs, so the window is at least so many polling intervals. */
const LOOKS = 3
const KEPT_MS = 60_000
/** Looks that are kept at least: those of three intervals, and one for a poll that came early. */
const KEPT_LOOKS = 5
/** Below so many messages a difference between counters and depth is only the one being older than the other. */
const NOTICEABLE = 100
/** So many times what else was acknowledged in the window is no work, but what a node of the broker had counted before. */
const LEAP = 10

/**
 * The samples with one more look: those of the last minute, or of five polling intervals. One that is not newer than the
 * last is no news, unless it is so much older that the clock was set back.
 */
export const withLook = <T extends Sample>(before: readonly T[], look: T, pollingInterval: number): T[] => {
  const keptMs = Math.max(KEPT_MS, KEPT_LOOKS * pollingInterval * 1000)
  const newerMs = look.atMs - (before.at(-1)?.atMs ?? Number.NEGATIVE_INFINITY)
  if (newerMs < -keptMs) return [look]
  return newerMs <= 0 ? [...before] : [...before.filter(({ atMs }) => atMs > look.atMs - keptMs), look]
}

/**
 * What a counter grew by; undefined when it fell meanwhile. The broker's counters are sums over its nodes: when a node
 * goes, or begins again, nothing is known of what was counted in between.
 */
const growth = (samples: readonly Sample[], counter: Counter): number | undefined =>
  samples.some((sample, index) => sample[counter] < (samples[index - 1]?.[counter] ?? sample[counter]))
    ? undefined
    : (samples.at(-1)?.[counter] ?? 0) - (samples[0]?.[counter] ?? 0)

const spanMsOf = (samples: readonly Sample[]): number => (samples.at(-1)?.atMs ?? 0) - (samples[0]?.atMs ?? 0)

const depthOf = ({ ready, unacked }: Sample): number => ready + unacked

/**
 * Messages a second over all the samples; undefined when they span no time that a counter would move in, or the counter
 * fell.
 */
export const rateOver = (samples: readonly Sample[], counter: Counter): number | undefined => {
  const [spanMs, grown] = [spanMsOf(samples), growth(samples, counter)]
  return spanMs < STATISTICS_MS || grown === undefined ? undefined : (grown * 1000) / spanMs
}

/** The samples of the last 15 s or, when looks are rarer, of the last three polling intervals; none before `fromMs`. */
export const lately = (samples: readonly Sample[], pollingInterval: number, fromMs = 0): readonly Sample[] => {
  const windowMs = Math.max(RATE_WINDOW_MS, LOOKS * pollingInterval * 1000)
  const beginMs = Math.max((samples.at(-1)?.atMs ?? 0) - windowMs, fromMs)
  return samples.filter(({ atMs }) => atMs >= beginMs)
}

/** The samples as intervals in which counters move, newest first; each begins with the look that ends the one before. */
const intervalsOf = (samples: readonly Sample[]): (readonly Sample[])[] => {
  const intervals: (readonly Sample[])[] = []
  for (let end = samples.length - 1; end > 0; ) {
    const endMs = samples[end]?.atMs ?? 0
    const begin = samples.findLastIndex(({ atMs }) => endMs - atMs >= STATISTICS_MS)
    if (begin === -1) break
    intervals.push(samples.slice(begin, end + 1))
    end = begin
  }
  return intervals
}

/** Whether nothing was acknowledged in one of the intervals: jobs that take longer than it end together. */
export const hasPause = (samples: readonly Sample[]): boolean =>
  intervalsOf(samples).some((interval) => growth(interval, 'acked') === 0)

/**
 * Messages that arrive in a second: the median of the last three intervals, the lower one of two, and not known of none.
 * The mean would count a burst twice, because its messages stand in the backlog already (simulated: 50 pods where 20 do);
 * and it would take for arrivals what a node of the broker had counted before it came back.
 */
export const arrivalRate = (samples: readonly Sample[]): number | undefined => {
  const rates = intervalsOf(samples)
    .map((interval) => rateOver(interval, 'published'))
    .filter((rate) => rate !== undefined)
    .slice(0, 3)
    .sort((a, b) => a - b)
  return rates[Math.floor((rates.length - 1) / 2)]
}

/** More acknowledged in one interval than its pods held, and many times more than in the others: a node came back. */
const hasLeap = (samples: readonly Sample[]): boolean => {
  const intervals = intervalsOf(samples).map((interval) => ({
    held: interval[0]?.unacked ?? 0,
    acked: growth(interval, 'acked') ?? 0,
    spanMs: spanMsOf(interval),
  }))
  return intervals.some((one) => {
    const others = intervals.filter((other) => other !== one)
    const sum = (of: 'acked' | 'spanMs') => others.reduce((total, other) => total + other[of], 0)
    const usual = others.length === 0 ? one.acked : (sum('acked') * one.spanMs) / sum('spanMs')
    return one.acked - one.held > Math.max(NOTICEABLE, LEAP * usual)
  })
}

/**
 * True when depth and counters can all be so: what came less what went is by how much the queue grew, but for the one
 * being older than the other. Nothing is to be learnt from looks between which a node of the broker came or went.
 */
export const isSound = (samples: readonly Sample[]): boolean => {
  const [first, last] = [samples[0], samples.at(-1)]
  const [published, acked] = [growth(samples, 'published'), growth(samples, 'acked')]
  if (first === undefined || last === undefined || published === undefined || acked === undefined) return false
  const missing = published - acked - (depthOf(last) - depthOf(first))
  return Math.abs(missing) <= Math.max(NOTICEABLE, published / 2, acked / 2) && !hasLeap(samples)
}

/**
 * Says how the samples contradict each other, if they do: a queue from which messages are missing that were published
 * and never acknowledged, or counters that fell. On such figures nothing may be taken away. That more is there than was
 * published is none: what comes back out of a retry queue is not counted as published.
 */
export const contradictionIn = (samples: readonly Sample[], pollingInterval: number): string | undefined => {
  const window = lately(samples, pollingInterval)
  const [first, last] = [window[0], window.at(-1)]
  if (first === undefined || last === undefined) return undefined
  const [published, acked] = [growth(window, 'published'), growth(window, 'acked')]
  if (published === undefined || acked === undefined) return "the broker's counters fell"
  const expected = depthOf(first) + published - acked
  return expected - depthOf(last) > Math.max(NOTICEABLE, published / 2)
    ? 'messages are gone that nobody acknowledged'
    : undefined
}
