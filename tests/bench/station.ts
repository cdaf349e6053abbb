import { address, eventually, kubectl, openBroker, openDatabase } from '../e2e/cluster.ts'
import { apply, conditionHolds, manifest, remove } from '../e2e/pipeline.ts'
import { readUsage, type Usage } from './usage.ts'

/** A pipeline of a benchmark's own on the local cluster, with what measures it. */
export type Station = {
  name: string
  /** Signals in the store. */
  stored: () => Promise<number>
  /** Messages in the main queue, unacknowledged ones included; undefined while the broker does not say. */
  depth: () => Promise<number | undefined>
  usage: () => Usage
  /** Sets the number of signals pods and waits for them. */
  scaleSignals: (replicas: number) => Promise<void>
  /** Metrics of the only pod of a component. */
  metrics: (component: string) => Promise<string>
  database: Awaited<ReturnType<typeof openDatabase>>
}

/**
 * Runs a benchmark with one replica of each service and no scaling, and removes everything afterwards.
 * @param signals replicas at the start
 */
export const withStation = async <T>(
  name: string,
  signals: number,
  run: (station: Station) => Promise<T>,
): Promise<T> => {
  await apply(
    manifest(name, {
      producer: { replicas: 1, rateLimit: { perDevicePerMinute: 1_000_000 } },
      signals: { replicas: signals, scaling: { provider: 'None' } },
    }),
  )
  const database = await openDatabase(name)
  try {
    await conditionHolds(name, 'Ready', 'True')
    for (const service of [`${name}-producer`, `${name}-api`])
      await eventually(
        `${service} to be reached by its Service`,
        30,
        async () => (await fetch(`http://${await address(service)}:8080/`)).status,
      )
    const broker = await openBroker()
    return await run({
      name,
      database,
      stored: () => database.db.collection('signals').countDocuments(),
      depth: () => broker.depth(`${name}.raw.q`),
      usage: () => readUsage(name),
      scaleSignals: async (replicas) => {
        await kubectl(['scale', 'xraypipeline', name, '-n', 'xray', `--replicas=${replicas}`])
        await kubectl([
          'wait',
          'deployment',
          `${name}-signals`,
          '-n',
          'xray',
          `--for=jsonpath={.status.readyReplicas}=${replicas}`,
          '--timeout=60s',
        ])
      },
      metrics: async (component) => {
        const selector = `app.kubernetes.io/instance=${name},app.kubernetes.io/component=${component}`
        const pod = await kubectl(['get', 'pods', '-n', 'xray', '-l', selector, '-o', 'name'])
        const path = `/api/v1/namespaces/xray/pods/${pod.trim().replace('pod/', '')}:9464/proxy/metrics`
        return kubectl(['get', '--raw', path])
      },
    })
  } finally {
    await database.db.dropDatabase()
    await database.close()
    await remove(name)
  }
}

/** Waits until so many signals are stored; returns the seconds that it took. */
export const untilStored = async (station: Station, count: number): Promise<number> => {
  const startedAt = performance.now()
  await eventually(`${count} signals to be stored`, 600, async () =>
    (await station.stored()) >= count ? true : undefined,
  )
  return (performance.now() - startedAt) / 1000
}
