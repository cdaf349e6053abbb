import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { createConsumer, settle } from '#runtime/consumer.ts'
import { createPublisher } from '#runtime/publisher.ts'
import { eventually } from '../e2e/cluster.ts'
import { openStand, rabbitmqctl, type Stand, serving, servingAnew, soon } from './link-stand.ts'

let stand: Stand
beforeAll(async () => {
  stand = await openStand('alarm')
})
afterAll(() => stand.close())
afterEach(() => stand.endLinks())

const WATERMARK = 'vm_memory_monitor:get_vm_memory_high_watermark().'

/** Raises the broker's memory alarm. It blocks every publisher of the broker, so it is short and always cleared. */
const withAlarm = async (run: () => Promise<void>): Promise<void> => {
  const watermark = (await rabbitmqctl('eval', WATERMARK)).trim()
  if (!/^0\.\d+$/.test(watermark)) throw new Error(`expected a relative watermark, got ${watermark}`)
  try {
    await rabbitmqctl('set_vm_memory_high_watermark', '0.000001')
    await run()
  } finally {
    await rabbitmqctl('set_vm_memory_high_watermark', watermark)
    await eventually('the alarm to clear', 90, async () =>
      (await rabbitmqctl('eval', 'rabbit_alarm:get_alarms().')).includes('memory') ? undefined : true,
    )
  }
}

it('a memory alarm blocks publishing, not consuming, and is survived by the link and told after a reconnect', async () => {
  const publisher = createPublisher(() => publishing, { confirmMs: 60_000, publications: 2000, bytes: 2 ** 25 })
  const publishing = stand.openLink({ setUp: async (channel) => publisher.observe(channel) })
  const consumed: string[] = []
  const consumer = createConsumer('q', 10, (delivery) => {
    consumed.push(delivery.message.content.toString())
    settle(delivery, 'ack')
  })
  const publish = (messageId: string) =>
    publisher.publish({ exchange: '', routingKey: 'q', body: Buffer.from(messageId), properties: { messageId } })
  const old = await serving(publishing)
  expect(await publish('before')).toBe('confirmed')
  expect(publishing.blocked()).toBe(false)

  let late: ReturnType<typeof publish> | undefined
  await withAlarm(async () => {
    // The broker tells a connection with its first publication, and takes that one when the alarm is over.
    const first = publish('blocked')
    await soon('the alarm to be told', 30_000, publishing.blocked)
    expect(await publish('refused')).toBe('unavailable')
    const consuming = stand.openLink({ setUp: consumer.setUp })
    await serving(consuming)
    await soon('a message in spite of the alarm', 30_000, () => consumed.includes('before'))
    // Longer than the watchdog asks and waits: a blocked connection is silent and not lost.
    const silentUntil = performance.now() + 16_000
    await soon('the watchdog to have had its turn', 17_000, () => performance.now() > silentUntil)
    expect(publishing.channel()).toBe(old)
    expect(publishing.problem()).toBeUndefined()

    stand.proxy.reset()
    expect(await first).toBe('unavailable')
    await servingAnew(publishing, old)
    expect(publishing.blocked()).toBe(false)
    late = publish('late')
    await soon('the alarm to be told again', 30_000, publishing.blocked)
  })
  await soon('the end of the alarm to be told', 30_000, () => !publishing.blocked())
  expect(await late).toBe('confirmed')
  expect(await publish('after')).toBe('confirmed')
  await soon('the last message', 30_000, () => consumed.includes('after'))
  expect(consumed).not.toContain('refused')
})

it('closing a blocked link is prompt', async () => {
  const link = stand.openLink()
  const channel = await serving(link)
  await withAlarm(async () => {
    channel.publish('', 'q', Buffer.from('x'))
    await soon('the alarm to be told', 30_000, link.blocked)
    const startedAt = performance.now()
    await link.close()
    expect(performance.now() - startedAt).toBeLessThan(1000)
  })
})
