import { PKI } from '../../../k8s/local/paths.ts'
import { eventually, openBroker, openDatabase } from '../../e2e/cluster.ts'
import { type Api, adminOf, openApi } from '../../operator/api.ts'
import { quantile } from '../quantile.ts'
import { readUsage, type Usage } from '../usage.ts'
import { ARMS, type Arm, queueOf, withArms } from './arms.ts'
import { changesOf, type Moment, openTimeline, podSeconds, secondsUntilReady } from './timeline.ts'
import { openTraffic, type Profile, type Traffic } from './traffic.ts'

export type Scenario = Profile & { name: string }

/** The first is met without knowledge of what a pod can do; the others with it. */
export const SCENARIOS: readonly Scenario[] = [
  { name: 'burst of 6,000, first contact', burst: 6_000, seconds: 1, rate: () => 0 },
  { name: 'burst of 6,000', burst: 6_000, seconds: 1, rate: () => 0 },
  { name: 'step to 60/s for 3 min', seconds: 180, rate: () => 60 },
  { name: 'sawtooth 10 to 60/s', seconds: 180, rate: (second) => 10 + (50 * (second % 90)) / 90 },
]

export type Measured = {
  /** Seconds from publish to store. */
  p50: number
  p95: number
  p99: number
  firstReady: number | undefined
  tenReady: number | undefined
  twentyReady: number | undefined
  podSeconds: number
  writes: number
  flips: number
  redelivered: number
  stored: number
  left: number
}

/** What one arm did in one scenario, for the figures and for a picture. */
export type Recorded = {
  measured: Measured
  moments: readonly Moment[]
  /** Seconds from the start, in order. */
  sentAt: number[]
  storedAt: number[]
}

/** Until both have nothing to do and no pods: the longest scenario, its backlog and the cooldown. */
const END_SECONDS = 600

type Watched = { arm: Arm; database: Awaited<ReturnType<typeof openDatabase>> }
type Broker = Awaited<ReturnType<typeof openBroker>>

const recordedOf = async (
  { arm, database }: Watched,
  broker: Broker,
  moments: readonly Moment[],
  startedAt: number,
  sent: number,
  redeliveredBefore: number,
): Promise<Recorded> => {
  const found = await database.db
    .collection('signals')
    .find({ receivedAt: { $gte: new Date(startedAt) } }, { projection: { receivedAt: 1, processedAt: 1 } })
    .toArray()
  const latencies = Float64Array.from(found, ({ receivedAt, processedAt }) => (processedAt - receivedAt) / 1000).sort()
  const secondsOf = (times: Date[]): number[] =>
    times.map((time) => (time.getTime() - startedAt) / 1000).sort((one, other) => one - other)
  const second = (part: number): number => Math.round(quantile(latencies, part) * 10) / 10
  return {
    measured: {
      p50: second(0.5),
      p95: second(0.95),
      p99: second(0.99),
      firstReady: secondsUntilReady(moments, 1),
      tenReady: secondsUntilReady(moments, 10),
      twentyReady: secondsUntilReady(moments, 20),
      podSeconds: podSeconds(moments),
      ...changesOf(moments),
      redelivered: (await broker.redelivered(queueOf(arm.name))) - redeliveredBefore,
      stored: latencies.length,
      left: sent - latencies.length,
    },
    moments,
    sentAt: secondsOf(found.map(({ receivedAt }) => receivedAt)),
    storedAt: secondsOf(found.map(({ processedAt }) => processedAt)),
  }
}

const noPods = async (api: Api): Promise<true | undefined> => {
  for (const { name } of ARMS) {
    const { spec, status } = await api.call('GET', `/apis/apps/v1/namespaces/xray/deployments/${name}-signals`)
    if ((spec as { replicas: number }).replicas > 0 || (status as { replicas?: number }).replicas) return undefined
  }
  return true
}

const runOne = async (
  scenario: Scenario,
  api: Api,
  traffic: Traffic,
  broker: Broker,
  watched: readonly Watched[],
): Promise<Recorded[]> => {
  await eventually('no pods to be left', END_SECONDS, () => noPods(api))
  const before = await Promise.all(watched.map(({ arm }) => broker.redelivered(queueOf(arm.name))))
  const startedAt = Date.now()
  const timelines = watched.map(({ arm }) => openTimeline(api, arm.name))
  const sent = await traffic.follow(scenario)
  await eventually(`both to have stored ${sent}`, END_SECONDS, async () => {
    const since = { receivedAt: { $gte: new Date(startedAt) } }
    const counts = await Promise.all(
      watched.map(({ database }) => database.db.collection('signals').countDocuments(since)),
    )
    return counts.every((count) => count >= sent) ? true : undefined
  })
  await eventually('no pods to be left', END_SECONDS, () => noPods(api))
  await Promise.all(timelines.map((timeline) => timeline.close()))
  return Promise.all(
    watched.map((one, index) =>
      recordedOf(one, broker, timelines[index]?.moments() ?? [], startedAt, sent, before[index] ?? 0),
    ),
  )
}

/** Seconds of CPU and megabytes of each control plane: ours, and KEDA's operator and adapter. */
const controlPlanes = (before: Usage, after: Usage) =>
  Object.fromEntries(
    ['operator', 'keda'].map((kind) => [
      kind,
      {
        cpuSeconds: Math.round(((after[kind]?.cpuSeconds ?? 0) - (before[kind]?.cpuSeconds ?? 0)) * 10) / 10,
        rssMegabytes: Math.round((after[kind]?.rssBytes ?? 0) / 1e6),
      },
    ]),
  )

export type Comparison = {
  scenarios: { scenario: string; arms: Record<string, Recorded> }[]
  controlPlanes: ReturnType<typeof controlPlanes>
}

/** Ours and the real KEDA on the local cluster: the same messages at the same instant, each to pods of its own. */
export const measureScaling = (told: (scenario: string, arms: Record<string, Recorded>) => void): Promise<Comparison> =>
  withArms(async (messageKey) => {
    const api = openApi('https://127.0.0.1:6443', adminOf(PKI))
    const traffic = await openTraffic(
      ARMS.map(({ name }) => queueOf(name)),
      messageKey,
    )
    const broker = await openBroker()
    const watched = await Promise.all(ARMS.map(async (arm) => ({ arm, database: await openDatabase(arm.name) })))
    const before = readUsage('')
    const scenarios: Comparison['scenarios'] = []
    try {
      for (const scenario of SCENARIOS) {
        const recorded = await runOne(scenario, api, traffic, broker, watched)
        const arms = Object.fromEntries(recorded.map((one, index) => [watched[index]?.arm.title ?? '', one]))
        told(scenario.name, arms)
        scenarios.push({ scenario: scenario.name, arms })
      }
      return { scenarios, controlPlanes: controlPlanes(before, readUsage('')) }
    } finally {
      await traffic.close()
      for (const { database } of watched) {
        await database.db.dropDatabase()
        await database.close()
      }
      await api.close()
    }
  })
