import { afterAll, beforeAll, expect, it } from 'vitest'
import { eventually, kubectl, openBroker, openDatabase, read } from './cluster.ts'
import { archivedLetters } from './dead-letters.ts'
import { openDevice, recording } from './device.ts'
import { apply, conditionHolds, manifest, remove } from './pipeline.ts'

const NAME = 'e2e-delivery'
const MESSAGES = 2_000
const CONNECTIONS = 32

let device: Awaited<ReturnType<typeof openDevice>>
let broker: Awaited<ReturnType<typeof openBroker>>
let store: Awaited<ReturnType<typeof openDatabase>>

/** With the default of two minutes' stabilization a test would wait for what it does not test. */
const AT_ONCE = { stabilizationWindowSeconds: 0, policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }] }

beforeAll(async () => {
  await apply(
    manifest(NAME, {
      signals: { scaling: { cooldownPeriod: 5, pollingInterval: 1, behavior: { scaleDown: AT_ONCE } } },
    }),
  )
  await conditionHolds(NAME, 'Available', 'True')
  device = await openDevice(NAME)
  broker = await openBroker()
  store = await openDatabase(NAME)
})
afterAll(async () => {
  await store.db.dropDatabase()
  await store.close()
  await remove(NAME)
})

/** Posts recordings that differ by their timestamp. Returns the ids that were answered with 202. */
const sendMany = async (from: number): Promise<string[]> => {
  const ids: string[] = []
  let next = from
  const worker = async (): Promise<void> => {
    while (next < from + MESSAGES) {
      const answer = await device(recording({ timestamp: 1735683480000 + next++ }))
      if (answer.status === 202 && answer.body.messageId !== undefined) ids.push(answer.body.messageId)
    }
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, worker))
  return ids
}

const signalsOf = async (ids: string[]): Promise<string[]> =>
  (
    await store.db
      .collection('signals')
      .find({ messageId: { $in: ids } }, { projection: { messageId: 1 } })
      .toArray()
  ).map(({ messageId }) => messageId)

/** Each accepted message is one signal, one file and one chunk; nothing is left on a queue and nothing is dead. */
const expectExactlyOnce = async (ids: string[]): Promise<void> => {
  // The depth that the broker tells is up to 5 s old, so an empty queue by itself would not say that all is done.
  await eventually('every message to be stored', 240, async () =>
    new Set(await signalsOf(ids)).size === ids.length ? true : undefined,
  )
  await eventually('the queue to be empty', 150, async () =>
    (await broker.depth(`${NAME}.raw.q`)) === 0 ? true : undefined,
  )
  const stored = await signalsOf(ids)
  expect(new Set(stored).size).toBe(ids.length)
  expect(stored.length).toBe(ids.length)
  const total = await store.db.collection('signals').countDocuments()
  expect(await store.db.collection('raw_payloads.files').countDocuments()).toBe(total)
  expect(await store.db.collection('raw_payloads.chunks').countDocuments()).toBe(total)
  expect(await broker.depth(`${NAME}.dlx`)).toBe(0)
  expect(await archivedLetters(store.db)).toEqual([])
  expect(await broker.depth('e2e-delivery.unrouted')).toBe(0)
}

const replicas = async (): Promise<number> => (await read('deployment', `${NAME}-signals`, '-n', 'xray')).spec.replicas

it(`${MESSAGES} messages without a consumer make the operator start some, and none is left when the queue is empty`, async () => {
  await eventually('signals to be at zero', 150, async () => ((await replicas()) === 0 ? true : undefined))
  const ids = await sendMany(0)
  expect(ids).toHaveLength(MESSAGES)
  await eventually('the operator to start signals', 90, async () => ((await replicas()) > 0 ? true : undefined))
  await expectExactlyOnce(ids)
  await eventually('signals to go back to zero', 240, async () => ((await replicas()) === 0 ? true : undefined))
})

it(`signals killed while ${MESSAGES} messages flow: all are stored exactly once`, async () => {
  let kills = 0
  let sending = true
  const killer = (async () => {
    while (sending) {
      await eventually('a signals pod to kill', 90, async () => {
        const pods = (
          await read(
            'pods',
            '-n',
            'xray',
            '-l',
            `app.kubernetes.io/instance=${NAME},app.kubernetes.io/component=signals`,
            '--field-selector=status.phase=Running',
          )
        ).items
        if (!sending) return true
        if (pods.length === 0) return undefined
        await kubectl(['delete', 'pod', pods[0].metadata.name, '-n', 'xray', '--grace-period=0', '--force'])
        kills++
        return true
      })
    }
  })()
  const ids = await sendMany(MESSAGES)
  await eventually('signals to be killed at least once', 150, async () => (kills > 0 ? true : undefined))
  sending = false
  await killer
  expect(ids).toHaveLength(MESSAGES)
  await expectExactlyOnce(ids)
})
