/** Buckets of a Prometheus histogram, ascending: how many observations were at most `le`. */
export type Buckets = { le: number; count: number }[]

/** Reads a histogram from an exposition, with exemplars or without, all label sets that match summed. */
export const readBuckets = (exposition: string, name: string, label = ''): Buckets => {
  const counts = new Map<number, number>()
  for (const line of exposition.split('\n')) {
    if (!line.startsWith(`${name}_bucket{`) || !line.includes(label)) continue
    const le = Number(/le="([^"]+)"/.exec(line)?.[1]?.replace('+Inf', 'Infinity'))
    counts.set(le, (counts.get(le) ?? 0) + Number(line.slice(line.indexOf('} ') + 2).split(' ')[0]))
  }
  return [...counts].map(([le, count]) => ({ le, count })).sort((a, b) => a.le - b.le)
}

/** What was observed between two readings. */
export const since = (before: Buckets, after: Buckets): Buckets =>
  after.map(({ le, count }) => ({ le, count: count - (before.find((bucket) => bucket.le === le)?.count ?? 0) }))

/**
 * The value below which that part of the observations lies, by linear interpolation within its bucket, as PromQL's
 * histogram_quantile; the upper bound of the last finite bucket when it lies beyond.
 */
export const bucketQuantile = (buckets: Buckets, part: number): number => {
  const rank = (buckets.at(-1)?.count ?? 0) * part
  let [below, lower] = [0, 0]
  for (const { le, count } of buckets) {
    if (count >= rank && count > below)
      return Number.isFinite(le) ? lower + ((le - lower) * (rank - below)) / (count - below) : lower
    below = count
    lower = Number.isFinite(le) ? le : lower
  }
  return lower
}
