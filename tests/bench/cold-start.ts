import { setTimeout as delay } from 'node:timers/promises'
import type { KubeObject } from '#kit/client.ts'
import { PKI } from '../../k8s/local/paths.ts'
import { eventually, openDatabase } from '../e2e/cluster.ts'
import { openDevice, recording } from '../e2e/device.ts'
import { apply, conditionHolds, manifest, remove } from '../e2e/pipeline.ts'
import { type Api, adminOf, openApi } from '../operator/api.ts'

const NAME = 'bench-cold'
const LOOK_MS = 25
const LIMIT_MS = 120_000
/** Down again as soon as there is nothing to do; up as by default. */
const SCALING = {
  cooldownPeriod: 1,
  behavior: { scaleDown: { stabilizationWindowSeconds: 0, policies: [] } },
}

/** What happens between a message and its signal, in order. */
const STEPS = ['accepted', 'wanted', 'created', 'scheduled', 'running', 'connected', 'stored'] as const
type Step = (typeof STEPS)[number]
/** When each was seen, ms. */
type Round = Record<Step, number>

type Pod = KubeObject & {
  status?: {
    conditions?: { type: string; status: string }[]
    containerStatuses?: { state?: { running?: object } }[]
  }
}

const signalsPods = (api: Api): Promise<Pod[]> =>
  api.list(
    `/api/v1/namespaces/xray/pods?labelSelector=app.kubernetes.io%2Finstance%3D${NAME},app.kubernetes.io%2Fcomponent%3Dsignals`,
  ) as Promise<Pod[]>

/** When the process said that it consumes; its log has the time. */
const connectedAt = async (api: Api, pod: string): Promise<number | undefined> => {
  const { body } = await api.ask('GET', `/api/v1/namespaces/xray/pods/${pod}/log`)
  const line = body.message?.split('\n').find((text) => text.includes(`connected to the broker as ${NAME}-signals"`))
  return line === undefined ? undefined : Date.parse((JSON.parse(line) as { time: string }).time)
}

const oneRound = async (
  api: Api,
  send: () => Promise<string>,
  isStored: (messageId: string) => Promise<boolean>,
): Promise<Round> => {
  await eventually('no signals pod to be left', 120, async () =>
    (await signalsPods(api)).length === 0 ? true : undefined,
  )
  // Every phase of the clocks of broker and operator.
  await delay(Math.random() * 5_000)
  const seen: Partial<Round> = {}
  const sentAt = Date.now()
  const see = (step: Step, holds: unknown) => {
    if (holds && seen[step] === undefined) seen[step] = Date.now() - sentAt
  }
  const messageId = await send()
  see('accepted', true)
  let pod: Pod | undefined
  while (seen.stored === undefined) {
    if (Date.now() - sentAt > LIMIT_MS)
      throw new Error(`not stored after ${LIMIT_MS} ms; seen: ${JSON.stringify(seen)}`)
    const [deployment, pods, stored] = await Promise.all([
      api.call('GET', `/apis/apps/v1/namespaces/xray/deployments/${NAME}-signals`),
      signalsPods(api),
      isStored(messageId),
    ])
    pod = pods[0] ?? pod
    see('wanted', (deployment.spec as { replicas: number }).replicas > 0)
    see('created', pod)
    see(
      'scheduled',
      pod?.status?.conditions?.some(({ type, status }) => type === 'PodScheduled' && status === 'True'),
    )
    see('running', pod?.status?.containerStatuses?.[0]?.state?.running)
    see('stored', stored)
    await delay(LOOK_MS)
  }
  const connected = pod === undefined ? undefined : await connectedAt(api, pod.metadata.name)
  seen.connected = (connected ?? sentAt + seen.stored) - sentAt
  return seen as Round
}

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0

/**
 * From a message to its signal when no signals pod runs: what each step took, in ms, in the median of rounds that fill
 * the time. Looked at every 25 ms.
 */
export const benchColdStart = async (seconds: number): Promise<object> => {
  const api = openApi('https://127.0.0.1:6443', adminOf(PKI))
  await apply(manifest(NAME, { signals: { scaling: SCALING } }))
  const database = await openDatabase(NAME)
  try {
    await conditionHolds(NAME, 'Ready', 'True')
    const device = await openDevice(NAME)
    const signals = database.db.collection('signals')
    let next = 0
    const send = async (): Promise<string> => {
      const { status, body } = await device(recording({ timestamp: 1735683480000 + next++ }))
      if (status !== 202) throw new Error(`the producer answered ${status}`)
      return body.messageId as string
    }
    const rounds: Round[] = []
    for (const endAt = Date.now() + seconds * 1000; Date.now() < endAt || rounds.length === 0; )
      rounds.push(await oneRound(api, send, async (messageId) => (await signals.countDocuments({ messageId })) > 0))
    const took = (round: Round, step: Step): number => {
      const before = STEPS[STEPS.indexOf(step) - 1]
      return round[step] - (before === undefined ? 0 : round[before])
    }
    const each = STEPS.map((step) => [step, Math.round(median(rounds.map((round) => took(round, step))))] as const)
    const all = rounds.map(({ stored }) => stored)
    return {
      rounds: rounds.length,
      millisecondsToStored: { median: median(all), least: Math.min(...all), most: Math.max(...all) },
      medianMillisecondsOf: Object.fromEntries(each),
    }
  } finally {
    await database.db.dropDatabase()
    await database.close()
    await remove(NAME)
    await api.close()
  }
}
