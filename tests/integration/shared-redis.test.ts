import { afterAll, beforeAll, expect, it } from 'vitest'
import { recording } from '../e2e/device.ts'
import { must } from '../stand/condition.ts'
import { signedMessage } from '../stand/signed-message.ts'
import { openSite, type Site } from './pipeline-site.ts'

/** Two pipelines that have nothing in common but the Redis, as those of a namespace have by default. */
let sites: [Site, Site]
beforeAll(async () => {
  const retry = { maxRetries: 1, delaysMs: [100], jitterMs: 0 }
  sites = [await openSite('shared-a', retry), await openSite('shared-b', retry)]
})
afterAll(async () => {
  for (const site of sites) await site.close()
})

it('a message that one pipeline has stored is stored by another that gets it, too, and once by each', async () => {
  const body = recording()
  const messageId = 'ab'.repeat(16)
  for (const site of sites) {
    await site.start('signals')
    const { properties } = signedMessage(site.messageKey, body, { messageId })
    for (let copy = 0; copy < 2; copy++)
      await site.publish(site.names.exchange, site.names.routingKey, Buffer.from(body), properties)
    await must('both copies to be dealt with', 60_000, async () =>
      (await site.ready(site.names.queue)) === 0 && (await site.store.signals.countDocuments()) > 0 ? true : undefined,
    )
  }
  for (const site of sites) expect(await site.store.signals.countDocuments({ messageId })).toBe(1)
  // Each knows it under a name of its own.
  const [first, second] = sites
  expect(await first.redis.keys(`*:${messageId}`)).toHaveLength(2)
  expect(first.vhost).not.toBe(second.vhost)
})
