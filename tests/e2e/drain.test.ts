import { afterAll, beforeAll, expect, it } from 'vitest'
import { DRAIN_ANNOTATION } from '#contract/drain.ts'
import { address, eventually, openBroker, openDatabase, read, secret } from './cluster.ts'
import { openDevice, recording } from './device.ts'
import { apply, conditionHolds, manifest, remove } from './pipeline.ts'

const NAME = 'e2e-drain'
const signals = (replicas: number) =>
  manifest(NAME, { signals: { replicas, scaling: { provider: 'None', pollingInterval: 1 } } })

let store: Awaited<ReturnType<typeof openDatabase>>
beforeAll(async () => {
  store = await openDatabase(NAME)
  await apply(signals(3))
  await conditionHolds(NAME, 'Ready', 'True')
})
afterAll(async () => {
  await store.db.dropDatabase()
  await store.close()
  await remove(NAME)
})

type Pod = { metadata: { name: string; deletionTimestamp?: string; annotations?: Record<string, string> } }
const pods = async (): Promise<Pod[]> => {
  const selector = `app.kubernetes.io/instance=${NAME},app.kubernetes.io/component=signals`
  return ((await read('pods', '-n', 'xray', '-l', selector)).items as Pod[]).filter(
    ({ metadata }) => metadata.deletionTimestamp === undefined,
  )
}

/** The broker's own counters of the queue. */
const counters = async (): Promise<{ ack?: number; deliver_get?: number }> => {
  const authorization = `Basic ${Buffer.from(`xray:${await secret('xray-rabbitmq', 'password')}`).toString('base64')}`
  const url = `http://${await address('xray-rabbitmq')}:15672/api/queues/%2F/${NAME}.raw.q`
  const queue = (await (await fetch(url, { headers: { authorization } })).json()) as { message_stats?: object }
  return queue.message_stats ?? {}
}

it('under load the pods that are told to go are those that go, and nothing is delivered again', async () => {
  const device = await openDevice(NAME)
  let [accepted, stop] = [0, false]
  const load = (async () => {
    while (!stop) {
      const { status } = await device(recording({ timestamp: 1735683480000 + accepted }))
      if (status === 202) accepted++
    }
  })()
  try {
    await eventually('the load to be on', 150, async () => (accepted > 50 ? true : undefined))
    await apply(signals(1))
    const told = await eventually('two pods to be told to go', 150, async () => {
      const found = (await pods()).filter(({ metadata }) => metadata.annotations?.[DRAIN_ANNOTATION] !== undefined)
      return found.length === 2 ? found.map(({ metadata }) => metadata.name) : undefined
    })
    const left = await eventually('one pod to be left', 200, async () => {
      const found = await pods()
      return found.length === 1 ? found[0]?.metadata.name : undefined
    })
    expect(told).not.toContain(left)
    await eventually('the drain to be over', 150, async () =>
      (await read('xraypipeline', NAME, '-n', 'xray')).status.scaling.drain === undefined ? true : undefined,
    )
  } finally {
    stop = true
    await load
  }
  await eventually('every message to be stored', 150, async () =>
    (await store.db.collection('signals').countDocuments()) === accepted ? true : undefined,
  )
  const { ack, deliver_get: delivered } = await eventually('every acknowledgement to be counted', 150, async () => {
    const counts = await counters()
    return (counts.ack ?? 0) >= accepted ? counts : undefined
  })
  // Not its count of `redeliver`: see tests/integration/drain.test.ts.
  expect([ack, delivered]).toEqual([accepted, accepted])
  const broker = await openBroker()
  await eventually('the queue to be empty', 90, async () =>
    (await broker.depth(`${NAME}.raw.q`)) === 0 ? true : undefined,
  )
  await conditionHolds(NAME, 'Ready', 'True')
})
