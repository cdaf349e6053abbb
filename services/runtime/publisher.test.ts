import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  ack,
  connectionBlocked,
  connectionClose,
  openScriptedBroker,
  returned,
} from '../../tests/network/scripted-broker.ts'
import { superviseLink } from './amqp.ts'
import { createLog } from './log.ts'
import { createPublisher, type Publication, type PublishLimits } from './publisher.ts'

let broker: Awaited<ReturnType<typeof openScriptedBroker>>
let closing: (() => Promise<void>)[] = []
beforeEach(async () => {
  broker = await openScriptedBroker()
})
afterEach(async () => {
  broker.readOn()
  for (const close of closing) await close()
  closing = []
  await vi.waitFor(() => expect(broker.connections(), 'sockets left open').toBe(0))
  await broker.close()
})

const open = async (limits: Partial<PublishLimits> = {}) => {
  const publisher = createPublisher(() => link, { confirmMs: 10_000, publications: 2000, bytes: 2 ** 26, ...limits })
  const link = superviseLink({
    uri: broker.uri,
    vhost: '/',
    name: 'test',
    queue: 'q',
    setUp: async (channel) => publisher.observe(channel),
    log: createLog('test', 'silent'),
    random: () => 0,
  })
  closing.push(link.close)
  const channel = await vi.waitUntil(link.channel)
  return { publisher, link, channel }
}

const publication = (change: Partial<Publication> = {}): Publication => ({
  exchange: 'topic',
  routingKey: 'key',
  body: Buffer.from('body'),
  properties: { messageId: 'same' },
  ...change,
})
const arrived = (count: number) => vi.waitUntil(() => broker.received.at(count - 1)?.body.length, { timeout: 5000 })

describe('of two publications with one id, the later of which comes back before either is acknowledged', () => {
  it.each<[string, Partial<Publication>]>([
    ['exchange', { exchange: 'other' }],
    ['routing key', { routingKey: 'other' }],
    ['body', { body: Buffer.from('other') }],
    ['id', { properties: { messageId: 'other' } }],
  ])('the one with the other %s is returned', async (_, change) => {
    const { publisher } = await open()
    const outcomes = Promise.all([publisher.publish(publication()), publisher.publish(publication(change))])
    await arrived(2)
    const [, lost] = broker.received
    if (lost !== undefined) broker.send(returned(lost), ack(2, true))
    expect(await outcomes).toEqual(['confirmed', 'returned'])
  })
  it('one is returned when nothing tells them apart', async () => {
    const { publisher } = await open()
    const outcomes = Promise.all([publisher.publish(publication()), publisher.publish(publication())])
    await arrived(2)
    const [, lost] = broker.received
    if (lost !== undefined) broker.send(returned(lost), ack(2, true))
    expect((await outcomes).toSorted()).toEqual(['confirmed', 'returned'])
    const next = publisher.publish(publication())
    await arrived(3)
    broker.send(ack(3, false))
    expect(await next).toBe('confirmed')
  })
})

it('a return whose acknowledgement was lost with the channel says nothing of the next channel', async () => {
  const { publisher, link, channel } = await open()
  const lost = publisher.publish(publication())
  await arrived(1)
  for (const received of broker.received) broker.send(returned(received), connectionClose)
  expect(await lost).toBe('unavailable')
  await vi.waitUntil(() => link.channel() !== undefined && link.channel() !== channel)
  const next = publisher.publish(publication())
  await arrived(2)
  broker.send(ack(1, false))
  expect(await next).toBe('confirmed')
})

it('what timed out before the socket took it is never written', async () => {
  const { publisher, channel } = await open({ confirmMs: 300 })
  const written = vi.spyOn(channel, 'publish')
  broker.stopReading()
  // More than the kernel takes for a peer that does not read.
  const body = Buffer.alloc(32_000, 'x')
  const outcomes = Array.from({ length: 1900 }, () => publisher.publish(publication({ body })))
  expect(new Set(await Promise.all(outcomes))).toEqual(new Set(['timeout']))
  const calls = written.mock.calls.length
  expect(calls).toBeLessThan(1900)
  expect(publisher.inFlight()).toBe(calls)
  broker.readOn()
  await arrived(calls)
  broker.send(ack(calls, true))
  await vi.waitUntil(() => publisher.inFlight() === 0)
  expect(broker.received).toHaveLength(calls)
  const next = publisher.publish(publication())
  await arrived(calls + 1)
  broker.send(ack(calls + 1, false))
  expect(await next).toBe('confirmed')
})

it('a connection that the broker closes in the very segment that opens it is not taken to serve', async () => {
  broker.withNextOpenOk(connectionClose)
  const { publisher } = await open()
  const outcome = publisher.publish(publication())
  await arrived(1)
  broker.send(ack(1, false))
  expect(await outcome).toBe('confirmed')
})

it('while the broker blocks the connection publications are refused at once', async () => {
  const { publisher, link } = await open()
  broker.send(connectionBlocked)
  await vi.waitUntil(link.blocked)
  expect(await publisher.publish(publication())).toBe('unavailable')
  expect(broker.received).toHaveLength(0)
})
