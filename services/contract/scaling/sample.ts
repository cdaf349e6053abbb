/**
 * One look at a queue: messages ready and unacknowledged, and the broker's counters of messages published and
 * acknowledged. Counters only grow, but for a restart of the broker.
 */
export type Sample = { atMs: number; ready: number; unacked: number; published: number; acked: number }

type Counter = 'published' | 'acked'

/** RabbitMQ's counters move every 5 s (`collect_statistics_interval`); a rate over less is none or a multiple. */
const STATISTICS_MS = 4_900
const RATE_WINDOW_MS = 15_000
/** Below so many messages a difference between counters and depth is only the one being older than the other. */
const NOTICEABLE = 100

/** A counter that fell was reset, and its new value is all that is known. */
const growth = (samples: readonly Sample[], counter: Counter): number =>
  samples.reduce((sum, sample, index) => {
    const before = samples[index - 1]?.[counter] ?? sample[counter]
    return sum + (sample[counter] >= before ? sample[counter] - before : sample[counter])
  }, 0)

/** Messages a second over all the samples; undefined when they span no time that a counter would move in. */
export const rateOver = (samples: readonly Sample[], counter: Counter): number | undefined => {
  const spanMs = (samples.at(-1)?.atMs ?? 0) - (samples[0]?.atMs ?? 0)
  return spanMs < STATISTICS_MS ? undefined : (growth(samples, counter) * 1000) / spanMs
}

/** The samples of the last 15 s, or since `fromMs` if that is later. */
export const lately = (samples: readonly Sample[], fromMs = 0): readonly Sample[] => {
  const beginMs = Math.max((samples.at(-1)?.atMs ?? 0) - RATE_WINDOW_MS, fromMs)
  return samples.filter(({ atMs }) => atMs >= beginMs)
}

/**
 * Messages that arrive in a second: the median of the last three intervals, the lower one of two. The mean would count
 * a burst twice, because its messages stand in the backlog already (simulated: 50 pods where 20 do).
 */
export const arrivalRate = (samples: readonly Sample[]): number => {
  const rates: number[] = []
  let end = samples.length - 1
  while (end > 0 && rates.length < 3) {
    const endMs = samples[end]?.atMs ?? 0
    const begin = samples.findLastIndex(({ atMs }) => endMs - atMs >= STATISTICS_MS)
    if (begin === -1) break
    rates.push(rateOver(samples.slice(begin, end + 1), 'published') ?? 0)
    end = begin
  }
  return rates.sort((a, b) => a - b)[Math.floor((rates.length - 1) / 2)] ?? 0
}

/**
 * Says how the samples contradict each other, if they do: a queue from which messages are missing that were published
 * and never acknowledged, or counters that began again. On such figures nothing may be taken away.
 */
export const contradictionIn = (samples: readonly Sample[]): string | undefined => {
  const window = lately(samples)
  const [first, last] = [window[0], window.at(-1)]
  if (first === undefined || last === undefined) return undefined
  if (window.some(({ published }, index) => published < (window[index - 1]?.published ?? 0)))
    return "the broker's counters began again"
  const published = growth(window, 'published')
  const expected = first.ready + first.unacked + published - growth(window, 'acked')
  return expected - last.ready - last.unacked > Math.max(NOTICEABLE, published / 2)
    ? 'messages are gone that nobody acknowledged'
    : undefined
}
