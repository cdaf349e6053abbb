import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import type { ConfirmChannel } from 'amqplib'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { openStand, type Stand, serving, servingAnew, soon } from './link-stand.ts'

let stand: Stand
beforeAll(async () => {
  stand = await openStand('link')
})
afterAll(() => stand.close())
afterEach(() => stand.endLinks())

/** Proves that a channel works both ways. */
const confirms = (channel: ConfirmChannel) =>
  new Promise<void>((resolve, reject) =>
    channel.publish('', 'q', Buffer.from('x'), {}, (error) => (error === null ? resolve() : reject(error))),
  )

/** A set-up of several round trips, with one for something else than the broker in their midst. */
const longSetUp = async (channel: ConfirmChannel) => {
  await channel.prefetch(10)
  await channel.checkQueue('q')
  await delay(5)
  await channel.checkExchange('amq.topic')
  await channel.consume('q', () => undefined, { noAck: true })
}

describe('a link whose connection is reset', () => {
  it('after any number of bytes serves with the next', async () => {
    const step = 12
    let disturbed = 0
    for (let bytes = 1; ; bytes += step) {
      const before = stand.proxy.accepted()
      stand.proxy.resetAfter(bytes)
      const link = stand.openLink({ setUp: longSetUp })
      const first = await serving(link)
      // The reset may come as late as with this publication.
      await confirms(first).catch(async () => confirms(await servingAnew(link, first)))
      await link.close()
      if (stand.proxy.accepted() - before === 1) break
      disturbed++
    }
    // A handshake alone sends over 400 bytes, start-ok the most of them.
    expect(disturbed).toBeGreaterThan(400 / step)
  })
  it('before it is open serves when the broker can be reached again, and says why it does not', async () => {
    stand.proxy.refuse()
    const link = stand.openLink()
    await soon('a problem', 30_000, () => link.problem() !== 'not connected yet')
    expect(link.problem()).toMatch(/ECONNRESET|closed abruptly|ended/i)
    expect(link.channel()).toBeUndefined()
    stand.proxy.admit()
    await confirms(await serving(link))
    expect(link.problem()).toBeUndefined()
  })
  it('while its set-up waits for something else starts over', async () => {
    let setUps = 0
    const link = stand.openLink({ setUp: () => (++setUps === 1 ? new Promise(() => undefined) : Promise.resolve()) })
    await soon('the first set-up', 30_000, () => setUps === 1)
    stand.proxy.reset()
    await confirms(await serving(link))
    expect(setUps).toBe(2)
  })
  it('while it serves has no channel at once, and then a new one', async () => {
    const link = stand.openLink()
    const old = await serving(link)
    const closed = once(old, 'close')
    stand.proxy.reset()
    await closed
    await soon('no channel', 500, () => link.channel() !== old)
    await confirms(await servingAnew(link, old))
  })
})

describe('a link whose connection is half-open', () => {
  it('while it serves finds out within 25 s', async () => {
    const link = stand.openLink()
    const old = await serving(link)
    stand.proxy.requests({ kind: 'swallow' })
    stand.proxy.answers({ kind: 'swallow' })
    await soon('the channel to go', 25_000, () => link.channel() === undefined)
    stand.proxy.requests({ kind: 'pass' })
    stand.proxy.answers({ kind: 'pass' })
    // The attempt that began meanwhile may have to run into its limit.
    await confirms(await servingAnew(link, old, 15_000))
  })
  it('from the start gives it up after 10 s', async () => {
    stand.proxy.answers({ kind: 'swallow' })
    const link = stand.openLink()
    await soon('the attempt to end', 20_000, () => link.problem() === 'connecting took more than 10000 ms')
    stand.proxy.answers({ kind: 'pass' })
    await confirms(await serving(link, 15_000))
  })
})

describe('a link whose channel is closed by the broker', () => {
  it.each<[string, (channel: ConfirmChannel) => void, RegExp]>([
    [
      'for a double ack',
      (channel) => {
        const tag = { fields: { deliveryTag: 77 } } as Parameters<ConfirmChannel['ack']>[0]
        channel.ack(tag)
        channel.ack(tag)
      },
      /406/,
    ],
    ['for a queue that is not there', (channel) => void channel.checkQueue('absent').catch(() => undefined), /404/],
    ['for a publication to no exchange', (channel) => void channel.publish('absent', 'x', Buffer.from('x')), /404/],
  ])('%s opens another', async (_, spoil, code) => {
    const link = stand.openLink()
    const old = await serving(link)
    spoil(old)
    expect(await soon('a problem', 30_000, link.problem)).toMatch(code)
    await confirms(await servingAnew(link, old))
  })
  it('in its set-up says what the set-up says', async () => {
    const link = stand.openLink({
      setUp: (channel) =>
        channel.checkQueue('absent').then(
          () => undefined,
          () => Promise.reject(new Error('the queue that it needs is missing')),
        ),
    })
    await soon('the problem', 30_000, () => link.problem() === 'the queue that it needs is missing')
  })
  it('because of what a listener throws opens another', async () => {
    const link = stand.openLink()
    const old = await serving(link)
    old.on('return', () => {
      throw new Error('a faulty listener')
    })
    old.publish('', 'no such queue', Buffer.from('x'), { mandatory: true })
    expect(await soon('a problem', 30_000, link.problem)).toBe('a faulty listener')
    await confirms(await servingAnew(link, old))
  })
})

describe('a link that cannot be let in', () => {
  it.each([
    ['by its password', () => ({ uri: `amqp://xray:wrong@127.0.0.1:${stand.proxy.port}` }), /ACCESS-REFUSED/],
    ['to its vhost', () => ({ vhost: 'absent' }), /refuses vhost "absent"/],
  ])('%s says so and goes on trying', async (_, change, message) => {
    const before = stand.proxy.accepted()
    const link = stand.openLink(change())
    await soon('a third attempt', 10_000, () => stand.proxy.accepted() - before >= 3)
    expect(link.problem()).toMatch(message)
  })
})

describe('closing a link', () => {
  /** Longer than the leave-taking that a silent broker is granted. */
  const promptly = async (closed: Promise<void>) => {
    const startedAt = performance.now()
    await closed
    expect(performance.now() - startedAt).toBeLessThan(1500)
    await soon('the socket to be closed', 500, () => stand.proxy.connections() === 0)
  }
  it('at any moment of connecting ends at once and leaves no socket', async () => {
    stand.proxy.answers({ kind: 'delay', ms: 10 })
    let served = false
    for (let ms = 0; !served; ms += 8) {
      const link = stand.openLink({ setUp: longSetUp })
      await delay(ms)
      served = link.channel() !== undefined
      await promptly(link.close())
      expect(link.channel()).toBeUndefined()
    }
  })
  it('of a half-open connection takes no longer than its leave', async () => {
    const link = stand.openLink()
    await serving(link)
    stand.proxy.requests({ kind: 'swallow' })
    stand.proxy.answers({ kind: 'swallow' })
    await promptly(link.close())
  })
  it('while a set-up hangs does not wait for it', async () => {
    let began = false
    const link = stand.openLink({
      setUp: () => {
        began = true
        return new Promise(() => undefined)
      },
    })
    await soon('the set-up', 30_000, () => began)
    await promptly(link.close())
  })
  it('while it waits for its next attempt does not wait for that', async () => {
    stand.proxy.refuse()
    const link = stand.openLink({ random: () => 1 })
    await soon('a wait of over a second', 10_000, () => stand.proxy.accepted() > 3 && link.problem())
    await promptly(link.close())
  })
  it('twice is the same as once', async () => {
    const link = stand.openLink()
    await serving(link)
    await Promise.all([link.close(), link.close()])
  })
})
