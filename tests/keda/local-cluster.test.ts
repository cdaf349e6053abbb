import { afterAll, beforeAll, expect, it } from 'vitest'
import { ensureKeda, withdrawKeda } from '../../k8s/local/keda-cluster.ts'
import { endProcess, runningProcesses } from '../../k8s/local/processes.ts'
import { eventually, openDatabase, read } from '../e2e/cluster.ts'
import { openDevice, recording } from '../e2e/device.ts'
import { apply, conditionHolds, manifest, remove } from '../e2e/pipeline.ts'

const NAME = 'e2e-keda'
const MESSAGES = 3_000
const CONNECTIONS = 32
const MOST = 3
/** Building KEDA takes some minutes the first time. */
const BUILD_MS = 1_800_000
/** KEDA looks every 2 s here, the broker's statistics are up to 5 s old, and an HPA looks every 15 s. */
const SCALED_SECONDS = 120

const scaling = {
  provider: 'KEDA',
  pollingInterval: 2,
  cooldownPeriod: 10,
  maxReplicaCount: MOST,
  triggers: [{ type: 'rabbitmq', metadata: { mode: 'QueueLength', value: '50', activationValue: '0' } }],
  behavior: {
    scaleDown: { stabilizationWindowSeconds: 0, policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }] },
  },
}

let store: Awaited<ReturnType<typeof openDatabase>>
let wasThere: boolean
beforeAll(async () => {
  wasThere = runningProcesses().includes('keda-operator')
  await ensureKeda()
  store = await openDatabase(NAME)
  await apply(manifest(NAME, { signals: { scaling } }))
  await conditionHolds(NAME, 'ScalingActive', 'True', 'LeftToKeda')
}, BUILD_MS)
afterAll(async () => {
  await store?.db.dropDatabase()
  await store?.close()
  await remove(NAME)
  await eventually('KEDA to let go', 60, async () =>
    (await read('scaledobjects.keda.sh', '-n', 'xray')).items.every(
      ({ metadata }: { metadata: { name: string } }) => metadata.name !== NAME,
    )
      ? true
      : undefined,
  )
  if (wasThere) return
  for (const name of ['keda-adapter', 'keda-operator']) await endProcess(name, 15)
  await withdrawKeda()
})

const replicas = async (): Promise<number> => (await read('deployment', `${NAME}-signals`, '-n', 'xray')).spec.replicas
const replicasBecome = (what: string, wanted: (count: number) => boolean): Promise<true> =>
  eventually(`signals to ${what}`, SCALED_SECONDS, async () => (wanted(await replicas()) ? true : undefined))

it(`KEDA starts real pods for ${MESSAGES} messages and ends them; each is stored once`, async () => {
  await replicasBecome('be at zero', (count) => count === 0)
  const device = await openDevice(NAME)
  let next = 0
  const sender = async (): Promise<void> => {
    while (next < MESSAGES) {
      const answer = await device(recording({ timestamp: 1735683480000 + next++ }))
      expect(answer.status).toBe(202)
    }
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, sender))
  await replicasBecome('be started', (count) => count > 0)
  await conditionHolds(NAME, 'ScalingActive', 'True', 'LeftToKeda')
  const signals = store.db.collection('signals')
  await eventually('every message to be stored', 90, async () =>
    (await signals.distinct('messageId')).length === MESSAGES ? true : undefined,
  )
  await replicasBecome('go back to zero', (count) => count === 0)
  expect(await signals.countDocuments()).toBe(MESSAGES)
}, 400_000)
