import { setTimeout as delay, setImmediate as endOfTurn } from 'node:timers/promises'
import type { ConfirmChannel } from 'amqplib'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createConsumer, type Delivery, settle } from '#runtime/consumer.ts'
import { eventually } from '../e2e/cluster.ts'
import { openStand, QUORUM, type Stand, serving, servingAnew, soon } from './link-stand.ts'

const PREFETCH = 50

let stand: Stand
beforeAll(async () => {
  stand = await openStand('consumer')
})
afterAll(() => stand.close())
afterEach(async () => {
  await stand.endLinks()
  await stand.direct.purgeQueue('q')
})

const open = (queue = 'q', before: (channel: ConfirmChannel) => Promise<unknown> = async () => undefined) => {
  const deliveries: Delivery[] = []
  const consumer = createConsumer(queue, PREFETCH, (delivery) => deliveries.push(delivery))
  const link = stand.openLink({
    queue,
    setUp: async (channel) => {
      await before(channel)
      await consumer.setUp(channel)
    },
  })
  const bodies = () => deliveries.map(({ message }) => message.content.toString())
  const received = (count: number) => soon(`${count} deliveries`, 30_000, () => deliveries.length >= count)
  return { deliveries, consumer, link, bodies, received }
}

const send = async (bodies: string[], queue = 'q') => {
  for (const body of bodies) stand.direct.sendToQueue(queue, Buffer.from(body), { persistent: true })
  await stand.direct.waitForConfirms()
}

/** How many consumers the broker knows. */
const consumers = async (queue = 'q') => (await stand.direct.checkQueue(queue)).consumerCount

const untilConsumers = (count: number) =>
  eventually(`${count} consumers`, 60, async () => ((await consumers()) === count ? true : undefined))

const untilReady = (count: number) =>
  eventually(`${count} messages to wait`, 60, async () => ((await stand.depth('q')) === count ? true : undefined))

const numbered = (count: number) => Array.from({ length: count }, (_, index) => String(index))

describe('a consumer', () => {
  it('holds no more than its prefetch, and takes the rest as it settles', async () => {
    await send(numbered(120))
    const { deliveries, received, bodies } = open()
    await received(PREFETCH)
    await untilReady(120 - PREFETCH)
    expect(deliveries).toHaveLength(PREFETCH)
    for (let done = 0; done < 120; done++) {
      await received(done + 1)
      settle(deliveries[done] as Delivery, 'ack')
    }
    expect(bodies()).toEqual(numbered(120))
  })
  it('acknowledges what it settled before its link closed, and nothing else', async () => {
    await send(numbered(40))
    const { deliveries, link, received } = open()
    await received(40)
    for (const delivery of deliveries.slice(10, 30)) settle(delivery, 'ack')
    for (const delivery of deliveries.slice(35)) settle(delivery, 'ack')
    await link.close()
    const left: string[] = []
    for (;;) {
      const message = await stand.direct.get('q', { noAck: true })
      if (message === false) break
      left.push(message.content.toString())
    }
    expect(left.toSorted()).toEqual([...numbered(10), '30', '31', '32', '33', '34'].toSorted())
  })
  it('settles batches in any order, with requeues among them, on one channel', async () => {
    await send(numbered(40))
    const { deliveries, link, received, bodies } = open()
    await received(40)
    const old = link.channel()
    const batch = (from: number) => deliveries.slice(from, from + 10)
    for (const delivery of batch(20)) settle(delivery, 'ack')
    await endOfTurn()
    for (const delivery of batch(0)) settle(delivery, 'requeue')
    await endOfTurn()
    for (const delivery of [...batch(30), ...batch(10)]) settle(delivery, 'ack')
    await received(50)
    for (const delivery of batch(40)) settle(delivery, 'ack')
    expect(new Set(bodies().slice(40))).toEqual(new Set(numbered(10)))
    expect(link.channel()).toBe(old)
    await link.close()
    expect(await stand.depth('q')).toBe(0)
  })
  it('gets again what it held when the connection went, and settling the old deliveries is harmless', async () => {
    await send(['a', 'b'])
    const { deliveries, link, received, bodies } = open()
    await received(2)
    const old = link.channel()
    stand.proxy.reset()
    await servingAnew(link, old)
    await received(4)
    expect(bodies()).toEqual(['a', 'b', 'a', 'b'])
    for (const delivery of deliveries.slice(0, 2)) settle(delivery, 'ack')
    for (const delivery of deliveries.slice(0, 2)) settle(delivery, 'requeue')
    for (const delivery of deliveries.slice(2)) settle(delivery, 'ack')
    await link.close()
    expect(await stand.depth('q')).toBe(0)
  })
})

describe('what a consumer has settled', () => {
  it('the broker has heard of when it says so', async () => {
    await send(numbered(40))
    const { deliveries, consumer, link, received, bodies } = open()
    await received(40)
    await consumer.pause('drain')
    for (const delivery of deliveries) settle(delivery, 'ack')
    await consumer.heard()
    // No leave is taken: what the broker had not heard of, it would deliver again, before what comes later.
    const old = link.channel()
    stand.proxy.reset()
    await servingAnew(link, old)
    await consumer.resume('drain')
    await send(['last'])
    await soon('the last message', 30_000, () => bodies().includes('last'))
    expect(bodies()).toEqual([...numbered(40), 'last'])
  })
  it('it does not wait for when its channel is gone', async () => {
    const { consumer, link } = open()
    await serving(link)
    await link.close()
    await consumer.heard()
  })
})

describe('a consumer that the broker cancels', () => {
  it('because its queue was deleted consumes the next queue of that name', async () => {
    await stand.direct.assertQueue('mortal', QUORUM)
    const { link, received, bodies } = open('mortal')
    const old = await serving(link)
    await stand.direct.deleteQueue('mortal')
    await soon('the channel to go', 30_000, () => link.channel() === undefined)
    expect(link.problem()).toMatch(/cancelled|404/)
    await stand.direct.assertQueue('mortal', QUORUM)
    await send(['a'], 'mortal')
    await received(1)
    expect(bodies()).toEqual(['a'])
    expect(link.channel()).not.toBe(old)
  })
  it('because it held a message too long gets the message again', async () => {
    await stand.direct.assertQueue('hasty', {
      durable: true,
      arguments: { ...QUORUM.arguments, 'x-consumer-timeout': 1000 },
    })
    const { deliveries, link, bodies } = open('hasty')
    const old = await serving(link)
    await send(['slow'], 'hasty')
    expect(await soon('a problem', 150_000, link.problem)).toMatch(/cancelled/)
    await servingAnew(link, old)
    await soon('the message again', 30_000, () => deliveries.length >= 2)
    expect(bodies().slice(0, 2)).toEqual(['slow', 'slow'])
    settle(deliveries[0] as Delivery, 'ack')
    settle(deliveries[1] as Delivery, 'ack')
    await link.close()
    expect(await stand.depth('hasty')).toBe(0)
  })
})

describe('pausing', () => {
  it('takes no message until it is resumed, however often', async () => {
    const { consumer, link, received, deliveries } = open()
    await serving(link)
    await consumer.pause('outage')
    await send(['a'])
    await untilConsumers(0)
    expect(deliveries).toHaveLength(0)
    await Promise.all([consumer.resume('outage'), consumer.resume('outage')])
    await received(1)
    expect(await consumers()).toBe(1)
  })
  it('lasts while anything holds: a store that is back makes no process consume that is told to end', async () => {
    const { consumer, link } = open()
    await serving(link)
    await consumer.pause('outage')
    await consumer.pause('end')
    await consumer.resume('outage')
    expect(await consumers()).toBe(0)
    await consumer.resume('end')
    expect(await consumers()).toBe(1)
  })
  it('while the set-up runs holds', async () => {
    let release = () => undefined as unknown
    const gate = new Promise((resolve) => {
      release = () => resolve(undefined)
    })
    let waiting = false
    const { consumer, link } = open('q', () => {
      waiting = true
      return gate
    })
    await soon('the set-up', 30_000, () => waiting)
    await consumer.pause('outage')
    release()
    await serving(link)
    expect(await consumers()).toBe(0)
    await consumer.resume('outage')
    expect(await consumers()).toBe(1)
  })
  it('just as the set-up consumes holds', async () => {
    stand.proxy.answers({ kind: 'delay', ms: 20 })
    const { consumer, link } = open('q')
    // At every moment of the set-up, some of them between consume and its answer.
    for (let ms = 0; ms < 160; ms += 10) {
      await delay(10)
      await Promise.all([consumer.resume('outage'), consumer.pause('outage')])
    }
    await serving(link)
    await untilConsumers(0)
    await Promise.all([
      consumer.pause('outage'),
      consumer.resume('outage'),
      consumer.pause('outage'),
      consumer.resume('outage'),
    ])
    await untilConsumers(1)
  })
  it('during an outage holds when the connection is back', async () => {
    const { consumer, link } = open()
    const old = await serving(link)
    stand.proxy.refuse()
    stand.proxy.reset()
    await soon('the channel to go', 30_000, () => link.channel() === undefined)
    await consumer.pause('outage')
    stand.proxy.admit()
    await servingAnew(link, old)
    expect(await consumers()).toBe(0)
    await consumer.resume('outage')
    expect(await consumers()).toBe(1)
  })
  it('and a resume during an outage holds as well', async () => {
    const { consumer, link } = open()
    const old = await serving(link)
    await consumer.pause('outage')
    stand.proxy.refuse()
    stand.proxy.reset()
    await soon('the channel to go', 30_000, () => link.channel() === undefined)
    await consumer.resume('outage')
    stand.proxy.admit()
    await servingAnew(link, old)
    expect(await consumers()).toBe(1)
  })
})
