import { bucketQuantile, readBuckets, since } from './histogram.ts'
import { post, quantiles } from './load/load.ts'
import { untilStored, withStation } from './station.ts'
import { cpuPerMessage, memoryOf } from './usage.ts'

const LATENCY = 'xray_signals_e2e_latency_seconds'
/** As many devices post at once; with fewer under way every part works in smaller batches, which cost more. */
const CONNECTIONS = 256
const CALM_RATE = 200
const SERVICES = ['producer', 'signals', 'api', 'operator']

const ms = (seconds: number): number => Math.round(seconds * 10_000) / 10

/**
 * The whole pipeline, one replica of each service, the load generator on the same cores: first as fast as 256
 * connections can, until all of it is stored, then at 200 a second for latencies from the time a request was due.
 */
export const benchPipeline = (seconds: number): Promise<object> =>
  withStation('bench-pipeline', 1, async (station) => {
    await post(station.name, { seconds: 3 }) // compiles the hot paths, opens the connections
    const warm = await untilSettled(station)

    const [before, startedAt] = [station.usage(), performance.now()]
    const full = await post(station.name, { seconds, connections: CONNECTIONS })
    const storedMeanwhile = (await station.stored()) - warm
    await untilStored(station, warm + full.accepted)
    const tookSeconds = (performance.now() - startedAt) / 1000
    const after = station.usage()

    const calmBefore = readBuckets(await station.metrics('signals'), LATENCY, 'outcome="stored"')
    const calm = await post(station.name, { seconds, rate: CALM_RATE })
    await untilStored(station, warm + full.accepted + calm.accepted)
    const calmEnds = since(calmBefore, readBuckets(await station.metrics('signals'), LATENCY, 'outcome="stored"'))
    return {
      saturated: {
        accepted: full.accepted,
        refused: full.refused,
        acceptedPerSecond: Math.round(full.accepted / full.seconds),
        storedMeanwhilePerSecond: Math.round(storedMeanwhile / full.seconds),
        endToEndPerSecond: Math.round(full.accepted / tookSeconds),
        storedAll: (await station.stored()) === warm + full.accepted + calm.accepted,
        acceptMs: quantiles(full.latenciesMs),
        cpuMicrosPerMessage: cpuPerMessage(before, after, full.accepted),
        memoryMegabytes: memoryOf(after, SERVICES),
      },
      calm: {
        ratePerSecond: CALM_RATE,
        accepted: calm.accepted,
        refused: calm.refused,
        acceptMs: quantiles(calm.latenciesMs),
        endToEndMs: { p50: ms(bucketQuantile(calmEnds, 0.5)), p99: ms(bucketQuantile(calmEnds, 0.99)) },
      },
    }
  })

const untilSettled = async (station: Parameters<Parameters<typeof withStation>[2]>[0]): Promise<number> => {
  for (let last = -1; ; ) {
    const stored = await station.stored()
    if (stored === last && (await station.depth()) === 0) return stored
    last = stored
    await new Promise((resolve) => setTimeout(resolve, 1000))
  }
}
