import { loadavg } from 'node:os'
import { eventually, openDatabase, read } from '../e2e/cluster.ts'
import { openDevice } from '../e2e/device.ts'
import { apply, conditionHolds, manifest, remove } from '../e2e/pipeline.ts'

const NAME = 'bench-pipeline'
const CONNECTIONS = 64
/** 130 points are about 8 KB. */
const POINTS = 130

const quantile = (sorted: number[], part: number): number =>
  Math.round((sorted[Math.floor(sorted.length * part)] ?? 0) * 10) / 10

const body = (timestamp: number): string =>
  JSON.stringify({
    deviceId: '66bb584d4ae73e488c30a072',
    timestamp,
    data: Array.from({ length: POINTS }, (_, point) => [
      point * 1001,
      [51.339764 + point / 1e5, 12.339223833333334 + point / 1e5, 1.2038000000000002 + point / 100],
    ]),
  })

/** Signals that can be read. */
const stored = async (database: Awaited<ReturnType<typeof openDatabase>>): Promise<number> =>
  database.db.collection('signals').countDocuments()

/**
 * Posts as fast as 64 connections can for the given time, one replica of each service, and waits until everything is
 * stored. The load generator runs on the same cores.
 */
export const benchPipeline = async (seconds: number): Promise<object> => {
  await apply(
    manifest(NAME, {
      producer: { replicas: 1, rateLimit: { perDevicePerMinute: 1_000_000 } },
      signals: { replicas: 1, scaling: { provider: 'None' } },
    }),
  )
  await conditionHolds(NAME, 'Ready', 'True')
  const device = await openDevice(NAME)
  const database = await openDatabase(NAME)
  try {
    const latencies: number[] = []
    let [sent, refused] = [0, 0]
    const startedAt = performance.now()
    const elapsed = () => (performance.now() - startedAt) / 1000
    const worker = async (): Promise<void> => {
      while (elapsed() < seconds) {
        const postedAt = performance.now()
        const { status } = await device(body(1735683480000 + sent++))
        if (status === 202) latencies.push(performance.now() - postedAt)
        else refused++
      }
    }
    await Promise.all(Array.from({ length: CONNECTIONS }, worker))
    const [acceptedSeconds, storedMeanwhile] = [elapsed(), await stored(database)]
    const accepted = latencies.length
    await eventually('everything to be stored', 300, async () =>
      (await stored(database)) >= accepted ? true : undefined,
    )
    const sorted = latencies.sort((a, b) => a - b)
    const { components } = (await read('xraypipeline', NAME, '-n', 'xray')).status
    return {
      name: 'pipeline',
      figures: {
        accepted,
        refused,
        acceptedPerSecond: Math.round(accepted / acceptedSeconds),
        storedMeanwhilePerSecond: Math.round(storedMeanwhile / acceptedSeconds),
        storedAll: await stored(database),
        endToEndPerSecond: Math.round(accepted / elapsed()),
        acceptMs: { p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99) },
        replicas: { producer: components.producer.ready, signals: components.signals.ready },
      },
      load: loadavg()[0],
      limitedBy: 'both cores: load generator, broker, store and services share them',
    }
  } finally {
    await database.db.dropDatabase()
    await database.close()
    await remove(NAME)
  }
}
