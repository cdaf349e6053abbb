import { randomBytes } from 'node:crypto'
import { kubectl } from '../../e2e/cluster.ts'
import { apply, conditionHolds, manifest, remove } from '../../e2e/pipeline.ts'
import { type Edit, toNodeOptions } from '../../faults/sabotage.ts'

/** One of those that are compared: a pipeline, and who scales it. */
export type Arm = { name: string; title: string; scaling: object }

/** Ten at once, two seconds each: five a second of one pod, as in the model (`bench/scaling/traces.ts`). */
const PREFETCH = 10
const JOB_MS = 2_000
const PER_POD = PREFETCH / (JOB_MS / 1000)
const DRAIN_SECONDS = 60

/** The real signals service, with a store that takes so long. */
const SLOW: Edit[] = [
  {
    file: 'services/signals/service.ts',
    from: 'store: (entries, lap) => storeBatch(',
    to: `store: async (entries, lap) => (await delay(${JOB_MS}), 0) || storeBatch(`,
  },
]

/**
 * The same for both: they differ in who decides. KEDA ends all pods at once when its cooldown is over, whatever the
 * policies say, so these let ours do the same.
 */
const COMMON = {
  maxReplicaCount: 20,
  pollingInterval: 5,
  cooldownPeriod: 30,
  slo: { targetDrainSeconds: DRAIN_SECONDS },
  behavior: {
    scaleDown: { stabilizationWindowSeconds: 30, policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }] },
  },
}

/** Without policies the ScaledObject lets the HPA grow to the most in one step, and the value is the best there is. */
const BY_HAND = { type: 'rabbitmq', metadata: { mode: 'QueueLength', value: String(DRAIN_SECONDS * PER_POD) } }

export const ARMS: readonly [Arm, Arm] = [
  { name: 'bench-ours', title: 'ours', scaling: { ...COMMON, provider: 'Native' } },
  { name: 'bench-keda', title: 'KEDA, tuned', scaling: { ...COMMON, provider: 'KEDA', triggers: [BY_HAND] } },
]

const KEYS = 'bench-scaling-keys'

const specOf = ({ name, scaling }: Arm) => ({
  keys: { secretRef: { name: KEYS } },
  producer: { replicas: 0 },
  api: { replicas: 0 },
  signals: {
    prefetch: PREFETCH,
    batch: { size: PREFETCH / 2 },
    resources: { requests: { cpu: '1m', memory: '64Mi' }, limits: { memory: '192Mi' } },
    podTemplate: { env: [{ name: 'NODE_OPTIONS', value: toNodeOptions(SLOW, 0) }] },
    scaling,
  },
  broker: { exchange: `${name}.xray`, queue: queueOf(name), deadLetterExchange: `${name}.dlx` },
})

export const queueOf = (name: string): string => `${name}.raw.q`

/**
 * Runs with both pipelines, whose messages one key signs, so that the same message is each one's.
 * @throws Error when the cluster has no KEDA
 */
export const withArms = async <T>(run: (messageKey: Buffer) => Promise<T>): Promise<T> => {
  const messageKey = randomBytes(32)
  const text = { 'device-master-k1': randomBytes(32).toString('hex'), 'api-admin-token': 'xrk_bench' }
  await apply(
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: KEYS, namespace: 'xray' },
      stringData: { ...text, 'message-p1': messageKey.toString('hex') },
    }),
  )
  try {
    for (const arm of ARMS) await apply(manifest(arm.name, specOf(arm)))
    for (const { name } of ARMS) await conditionHolds(name, 'Ready', 'True')
    await conditionHolds(ARMS[1].name, 'ScalingActive', 'True', 'LeftToKeda').catch((error: Error) => {
      throw new Error(`expected a cluster with KEDA, "npm start -- --with keda": ${error.message}`)
    })
    return await run(messageKey)
  } finally {
    for (const { name } of ARMS) await remove(name)
    await kubectl(['delete', 'secret', KEYS, '-n', 'xray', '--ignore-not-found'])
  }
}
