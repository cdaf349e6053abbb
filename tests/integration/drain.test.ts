import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { DRAINED_PATH } from '#contract/drain.ts'
import { recording } from '../e2e/device.ts'
import { type Edit, toNodeOptions } from '../faults/sabotage.ts'
import { must } from '../stand/condition.ts'
import type { Process } from '../stand/service-process.ts'
import { signedMessage } from '../stand/signed-message.ts'
import { openSite, type Site } from './pipeline-site.ts'

/** Longer than a process that ends waits for what it has (`runtime/process.ts`). */
const JOB_MS = 25_000
/** Jobs that take long. */
const SLOW: Edit[] = [
  {
    file: 'services/signals/service.ts',
    from: 'store: (entries, lap) => storeBatch(',
    to: `store: async (entries, lap) => (await delay(${JOB_MS}), 0) || storeBatch(`,
  },
]
const MESSAGES = 60
const PREFETCH = 20

let site: Site
let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'xrayiot-drain-'))
})
beforeEach(async () => {
  site = await openSite('drain', { maxRetries: 1, delaysMs: [100], jitterMs: 0 })
})
afterEach(() => site.close())
afterAll(() => rmSync(folder, { recursive: true }))

const send = async (index: number): Promise<void> => {
  const deviceTimestampMs = 1735683480000 + index
  const { properties, body } = signedMessage(site.messageKey, recording({ timestamp: deviceTimestampMs }), {
    deviceTimestampMs,
  })
  await site.publish(site.names.exchange, site.names.routingKey, Buffer.from(body), properties)
}

type Counts = { ack?: number; deliver_get?: number }
/**
 * How many deliveries to a process came to nothing, by the broker's own count, once it has counted every
 * acknowledgement; its figures are up to 5 s old. Not its count of `redeliver`: a quorum queue also counts a message there
 * that it had meant for a consumer while that was being cancelled, and that never left the broker (measured, 4.3.6: 4 of
 * 8,467 messages in 40 cancels, with 8,467 deliveries).
 */
const redeliveries = async (): Promise<number> => {
  const { host } = site.servers.rabbitmq.address
  const { username, password } = new URL(site.servers.rabbitmq.uri)
  const authorization = `Basic ${Buffer.from(`${username}:${decodeURIComponent(password)}`).toString('base64')}`
  const { ack = 0, deliver_get: delivered = 0 } = await must(
    `${MESSAGES} acknowledgements to be counted`,
    60_000,
    async () => {
      const path = `api/queues/${site.vhost}/${site.names.queue}`
      const answer = await fetch(`http://${host}:15672/${path}`, { headers: { authorization } })
      const { message_stats: counts } = (await answer.json()) as { message_stats?: Counts }
      return (counts?.ack ?? 0) >= MESSAGES ? counts : undefined
    },
  )
  return delivered - ack
}

const drained = (one: Process): Promise<true> =>
  must('the pod to say that it holds nothing', 90_000, async () =>
    (await fetch(`http://127.0.0.1:${one.metricsPort}${DRAINED_PATH}`)).ok ? true : undefined,
  )

describe.each([
  [
    'told to go and let finish',
    'is delivered once',
    async (one: Process, file: string) => {
      writeFileSync(file, '2026-01-01T00:00:00.000Z')
      await drained(one)
      await one.stop()
    },
  ],
  ['ended by SIGTERM, control', 'is delivered again', async (one: Process) => void (await one.stop())],
  ['killed, control', 'is delivered again', (one: Process) => one.kill()],
] as [string, string, (one: Process, file: string) => Promise<void>][])('of a pod that is %s', (how, what, end) => {
  it(`what it holds ${what}`, async () => {
    const file = join(folder, how.replaceAll(/\W/g, '-'))
    const victim = await site.start('signals', {
      DRAIN_FILE: file,
      PREFETCH: String(PREFETCH),
      BATCH_SIZE: String(PREFETCH / 2),
      NODE_OPTIONS: toNodeOptions(SLOW, 0),
    })
    for (let index = 0; index < MESSAGES / 2; index++) await send(index)
    await must('the pod to have taken what it may', 60_000, async () =>
      (await site.ready(site.names.queue)) === MESSAGES / 2 - PREFETCH ? true : undefined,
    )
    await site.start('signals', { DRAIN_FILE: join(folder, 'other') })
    const ending = end(victim, file)
    // The load goes on meanwhile.
    for (let index = MESSAGES / 2; index < MESSAGES; index++) await send(index)
    await ending
    await must('every message to be stored', 60_000, async () =>
      (await site.store.signals.countDocuments()) === MESSAGES ? true : undefined,
    )
    const count = await redeliveries()
    console.log(`${how}: ${count} redeliveries of ${MESSAGES} messages`)
    if (what === 'is delivered once') expect(count).toBe(0)
    else expect(count).toBeGreaterThan(0)
  })
})
