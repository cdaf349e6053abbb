import { PKI } from '../../../k8s/local/paths.ts'
import { eventually, openBroker, openDatabase } from '../../e2e/cluster.ts'
import { type Api, adminOf, openApi } from '../../operator/api.ts'
import { queueOf, withArms } from './arms.ts'
import type { Arm, Comparison, Scenario } from './comparisons.ts'
import { type ControlPlane, readControlPlanes, spentBetween } from './control-planes.ts'
import { disturb } from './disturbances.ts'
import { orInterrupted } from './interruption.ts'
import { type Measured, measuredOf, type Stored } from './measured.ts'
import type { Relay } from './relay.ts'
import { type Moment, openTimeline } from './timeline.ts'
import { openTraffic, type Traffic } from './traffic.ts'

/** What one arm did in one scenario, for the figures and for a picture. */
export type Recorded = {
  measured: Measured
  moments: readonly Moment[]
  /** Seconds from the start, in order. */
  sentAt: number[]
  storedAt: number[]
}

export type Told = {
  scenario: (name: string, arms: Record<string, Recorded>) => void
  controlPlanes: (figures: Record<string, ControlPlane>) => void
}

/** After the last message: until all have nothing to do and no pods, the backlog and the cooldown included. */
const END_SECONDS = 420
/** An arm without a ready pod by then will have none: the slowest start seen was 57 s, of KEDA by defaults. */
const START_SECONDS = 180

type Watched = { arm: Arm; database: Awaited<ReturnType<typeof openDatabase>> }
type Broker = Awaited<ReturnType<typeof openBroker>>
type Stage = { api: Api; traffic: Traffic; broker: Broker; relay: Relay; watched: readonly Watched[] }

const storedSince = async ({ database }: Watched, startedAt: number): Promise<Stored[]> =>
  database.db
    .collection<Stored>('signals')
    .find({ receivedAt: { $gte: new Date(startedAt) } }, { projection: { receivedAt: 1, processedAt: 1 } })
    .toArray()

const noPods = async (api: Api, watched: readonly Watched[]): Promise<true | undefined> => {
  for (const { arm } of watched) {
    const { spec, status } = await api.call('GET', `/apis/apps/v1/namespaces/xray/deployments/${arm.name}-signals`)
    if ((spec as { replicas: number }).replicas > 0 || (status as { replicas?: number }).replicas) return undefined
  }
  return true
}

const allStored = async (watched: readonly Watched[], startedAt: number, sent: number): Promise<true | undefined> => {
  const since = { receivedAt: { $gte: new Date(startedAt) } }
  const counts = await Promise.all(
    watched.map(({ database }) => database.db.collection('signals').countDocuments(since)),
  )
  return counts.every((count) => count >= sent) ? true : undefined
}

const runOne = async (
  scenario: Scenario,
  { api, traffic, broker, relay, watched }: Stage,
  interrupted: AbortSignal,
): Promise<Recorded[]> => {
  const redelivered = () => Promise.all(watched.map(({ arm }) => broker.redelivered(queueOf(arm.name))))
  await orInterrupted(
    interrupted,
    eventually('no pods to be left', END_SECONDS, () => noPods(api, watched)),
  )
  const before = await redelivered()
  const startedAt = Date.now()
  const timelines = watched.map(({ arm }) => openTimeline(api, arm.name))
  const disturbance = disturb(
    scenario,
    watched.map(({ arm }) => arm),
    relay,
  )
  const hasStarted = (index: number) =>
    eventually(`a pod of ${watched[index]?.arm.title} to be ready`, START_SECONDS, async () =>
      timelines[index]?.moments().some(({ ready }) => ready > 0) ? true : undefined,
    )
  const untilOver = async (): Promise<number> => {
    const [sent] = await Promise.all([
      traffic.follow(scenario),
      disturbance.ended(),
      ...watched.map((_, index) => hasStarted(index)),
    ])
    await eventually(`all to have stored ${sent}`, END_SECONDS, () => allStored(watched, startedAt, sent))
    await eventually('no pods to be left', END_SECONDS, () => noPods(api, watched))
    return sent
  }
  try {
    const sent = await orInterrupted(interrupted, untilOver())
    const after = await redelivered()
    const found = await Promise.all(watched.map((one) => storedSince(one, startedAt)))
    return watched.map((_, index) => {
      const moments = timelines[index]?.moments() ?? []
      const stored = found[index] ?? []
      const secondsOf = (times: Date[]): number[] =>
        times.map((time) => (time.getTime() - startedAt) / 1000).sort((one, other) => one - other)
      return {
        measured: {
          ...measuredOf(moments, stored, sent, scenario.outage),
          redelivered: (after[index] ?? 0) - (before[index] ?? 0),
        },
        moments,
        sentAt: secondsOf(stored.map(({ receivedAt }) => receivedAt)),
        storedAt: secondsOf(stored.map(({ processedAt }) => processedAt)),
      }
    })
  } finally {
    await disturbance.close()
    await Promise.all(timelines.map((timeline) => timeline.close()))
  }
}

export type Outcome = {
  scenarios: { scenario: string; arms: Record<string, Recorded> }[]
  controlPlanes: Record<string, ControlPlane>
}

/**
 * Runs a comparison on the local cluster: the same messages at the same instant, to each arm's own pods. Whatever it has
 * made is gone when it ends.
 * @param told each figure as soon as it is there
 * @throws Interrupted when the signal comes; Error when an arm does not start, or does not end
 */
export const measure = (comparison: Comparison, interrupted: AbortSignal, told: Told): Promise<Outcome> =>
  withArms(comparison, interrupted, async (messageKey, relay) => {
    const queues = comparison.arms.map(({ name }) => queueOf(name))
    const api = openApi('https://127.0.0.1:6443', adminOf(PKI))
    const traffic = await openTraffic(queues, messageKey)
    const watched = await Promise.all(
      comparison.arms.map(async (arm) => ({ arm, database: await openDatabase(arm.name) })),
    )
    try {
      const stage: Stage = { api, traffic, broker: await openBroker(), relay, watched }
      const before = await readControlPlanes(relay)
      const scenarios: Outcome['scenarios'] = []
      for (const scenario of comparison.scenarios) {
        const recorded = await runOne(scenario, stage, interrupted)
        const arms = Object.fromEntries(recorded.map((one, index) => [watched[index]?.arm.title ?? '', one]))
        told.scenario(scenario.name, arms)
        scenarios.push({ scenario: scenario.name, arms })
      }
      const after = await readControlPlanes(relay)
      const controlPlanes = {
        operator: spentBetween(before.operator, after.operator),
        keda: spentBetween(before.keda, after.keda),
      }
      told.controlPlanes(controlPlanes)
      return { scenarios, controlPlanes }
    } finally {
      await traffic.close()
      for (const { database } of watched) {
        await database.db.dropDatabase()
        await database.close()
      }
      await api.close()
    }
  })
