import { post, quantiles } from './load/load.ts'
import { withStation } from './station.ts'
import { cpuPerMessage, memoryOf } from './usage.ts'

/** The producer alone, into the broker: no signals runs. */
export const benchIngest = (seconds: number): Promise<object> =>
  withStation('bench-ingest', 0, async (station) => {
    await post(station.name, { seconds: 3 })
    const before = station.usage()
    const tally = await post(station.name, { seconds })
    const after = station.usage()
    return {
      accepted: tally.accepted,
      refused: tally.refused,
      acceptedPerSecond: Math.round(tally.accepted / tally.seconds),
      acceptMs: quantiles(tally.latenciesMs),
      cpuMicrosPerMessage: cpuPerMessage(before, after, tally.accepted),
      memoryMegabytes: memoryOf(after, ['producer']),
    }
  })
