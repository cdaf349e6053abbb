import { eventually } from '../e2e/cluster.ts'
import { post } from './load/load.ts'
import { untilStored, withStation } from './station.ts'
import { cpuPerMessage, memoryOf } from './usage.ts'

const BACKLOG = 100_000

/** A backlog that gathered while no signals ran, drained by one pod; counted by id, so exactly once is seen. */
export const benchDrain = (): Promise<object> =>
  withStation('bench-drain', 0, async (station) => {
    const tally = await post(station.name, { seconds: 600, most: BACKLOG })
    await eventually('the backlog to stand in the queue', 60, async () =>
      (await station.depth()) === tally.accepted ? true : undefined,
    )
    const before = station.usage()
    await station.scaleSignals(1)
    const seconds = await untilStored(station, tally.accepted)
    const after = station.usage()
    const stored = await station.stored()
    return {
      backlog: tally.accepted,
      stored,
      exactlyOnce: stored === tally.accepted,
      seconds: Math.round(seconds * 10) / 10,
      drainedPerSecond: Math.round(tally.accepted / seconds),
      cpuMicrosPerMessage: cpuPerMessage(before, after, tally.accepted),
      memoryMegabytes: memoryOf(after, ['signals']),
    }
  })
