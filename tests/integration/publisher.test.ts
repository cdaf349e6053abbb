import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { createPublisher, type Outcome, type Publication, type PublishLimits } from '#runtime/publisher.ts'
import { openStand, QUORUM, type Stand, serving, servingAnew, soon } from './link-stand.ts'

let stand: Stand
beforeAll(async () => {
  stand = await openStand('publisher')
  await stand.direct.assertExchange('topic', 'topic')
  await stand.direct.bindQueue('q', 'topic', 'bound')
})
afterAll(() => stand.close())
afterEach(async () => {
  await stand.endLinks()
  await stand.direct.purgeQueue('q')
})

const GENEROUS: PublishLimits = { confirmMs: 10_000, publications: 2000, bytes: 2 ** 25 }

const open = async (limits: Partial<PublishLimits> = {}) => {
  const publisher = createPublisher(() => link, { ...GENEROUS, ...limits })
  const link = stand.openLink({ setUp: async (channel) => publisher.observe(channel) })
  const channel = await serving(link)
  return { publisher, link, channel }
}

const publication = (messageId: string, change: Partial<Publication> = {}): Publication => ({
  exchange: '',
  routingKey: 'q',
  body: Buffer.from(messageId),
  properties: { messageId },
  ...change,
})

const count = (outcomes: Outcome[], wanted: Outcome) => outcomes.filter((outcome) => outcome === wanted).length

describe('a publication', () => {
  it('is confirmed when it is in a queue', async () => {
    const { publisher } = await open()
    expect(await publisher.publish(publication('a'))).toBe('confirmed')
    const stored = await stand.direct.get('q', { noAck: true })
    expect(stored && { ...stored.properties, body: stored.content.toString() }).toMatchObject({
      messageId: 'a',
      deliveryMode: 2,
      body: 'a',
    })
  })
  it('is returned when no queue takes it, though the broker acknowledges it', async () => {
    const { publisher } = await open()
    expect(await publisher.publish(publication('a', { routingKey: 'absent' }))).toBe('returned')
    expect(await publisher.publish(publication('a'))).toBe('confirmed')
  })
  it('is refused by a queue that is full', async () => {
    const { publisher } = await open()
    await stand.direct.assertQueue('full', {
      durable: true,
      arguments: { ...QUORUM.arguments, 'x-overflow': 'reject-publish', 'x-max-length': 1 },
    })
    const outcomes: Outcome[] = []
    for (let index = 0; index < 6; index++)
      outcomes.push(await publisher.publish(publication(`m${index}`, { routingKey: 'full' })))
    expect(outcomes).toContain('confirmed')
    expect(outcomes.at(-1)).toBe('nacked')
  })
  it.each([
    ['headers over 64 KiB', { properties: { messageId: 'a', headers: { 'x-dlq-detail': 'x'.repeat(70_000) } } }],
    ['an id over 255 bytes', { properties: { messageId: 'x'.repeat(256) } }],
  ])('with %s cannot be published, and spoils nothing', async (_, change) => {
    const { publisher, link, channel } = await open()
    const [spoilt, sound] = await Promise.all([
      publisher.publish(publication('a', change)),
      publisher.publish(publication('b')),
    ])
    expect([spoilt, sound]).toEqual(['unpublishable', 'confirmed'])
    expect(link.channel()).toBe(channel)
    expect(publisher.inFlight()).toBe(0)
  })
})

describe('of publications with one id at the same time', () => {
  it.each<[string, Partial<Publication>, Partial<Publication>]>([
    ['to another place', { routingKey: 'absent' }, {}],
    ['to another exchange', { exchange: 'topic' }, { exchange: '' }],
    ['with another key', { exchange: 'topic', routingKey: 'nobody' }, { exchange: 'topic', routingKey: 'bound' }],
  ])('only the one that came back is returned: %s', async (_, lost, kept) => {
    const { publisher } = await open()
    for (let round = 0; round < 5; round++) {
      const pairs = Array.from({ length: 100 }, () => [publication('same', kept), publication('same', lost)]).flat()
      const outcomes = await Promise.all(pairs.map(publisher.publish))
      expect(outcomes).toEqual(pairs.map((_, index) => (index % 2 === 0 ? 'confirmed' : 'returned')))
    }
  })
  it('and one place as many are confirmed as are in the queue, while its binding comes and goes', async () => {
    const { publisher } = await open()
    await stand.direct.assertQueue('flapping', QUORUM)
    const published: Promise<Outcome>[] = []
    for (let round = 0; round < 30; round++) {
      for (let index = 0; index < 20; index++)
        published.push(publisher.publish(publication('same', { exchange: 'topic', routingKey: 'flap' })))
      if (round % 2 === 0) await stand.direct.bindQueue('flapping', 'topic', 'flap')
      else await stand.direct.unbindQueue('flapping', 'topic', 'flap')
    }
    const outcomes = await Promise.all(published)
    const stored = await stand.direct.purgeQueue('flapping')
    expect(count(outcomes, 'confirmed')).toBe(stored.messageCount)
    expect(count(outcomes, 'returned')).toBe(outcomes.length - stored.messageCount)
    expect(count(outcomes, 'returned')).toBeGreaterThan(0)
  })
})

describe('when the connection goes', () => {
  it('publications under way are unavailable at once, and never confirmed', async () => {
    const { publisher, link, channel } = await open()
    stand.proxy.answers({ kind: 'swallow' })
    const outcomes = Array.from({ length: 50 }, (_, index) => publisher.publish(publication(`m${index}`)))
    const startedAt = performance.now()
    stand.proxy.reset()
    expect(count(await Promise.all(outcomes), 'unavailable')).toBe(50)
    expect(performance.now() - startedAt).toBeLessThan(1000)
    expect(publisher.inFlight()).toBe(0)
    stand.proxy.answers({ kind: 'pass' })
    await servingAnew(link, channel, 15_000)
    expect(await publisher.publish(publication('next'))).toBe('confirmed')
  })
  it('so are those that wait for the socket', async () => {
    const { publisher } = await open()
    const outcomes = Array.from({ length: 1900 }, (_, index) => publisher.publish(publication(`m${index}`)))
    stand.proxy.reset()
    expect(new Set(await Promise.all(outcomes))).toEqual(new Set(['unavailable']))
    expect(publisher.inFlight()).toBe(0)
  })
  it('closing the link answers what is under way', async () => {
    const { publisher, link } = await open()
    stand.proxy.answers({ kind: 'swallow' })
    const outcome = publisher.publish(publication('a'))
    await link.close()
    expect(await outcome).toBe('unavailable')
  })
})

describe('a publication that is not confirmed in time', () => {
  it('is a timeout, and its late confirm is ignored', async () => {
    const { publisher } = await open({ confirmMs: 100 })
    stand.proxy.answers({ kind: 'delay', ms: 400 })
    expect(await publisher.publish(publication('a'))).toBe('timeout')
    expect(publisher.inFlight()).toBe(1)
    await soon('the late confirm', 30_000, () => publisher.inFlight() === 0)
    stand.proxy.answers({ kind: 'pass' })
    expect(await publisher.publish(publication('a'))).toBe('confirmed')
  })
  it('leaves its late return to nobody else', async () => {
    const { publisher } = await open({ confirmMs: 100 })
    stand.proxy.answers({ kind: 'delay', ms: 400 })
    const lost = publication('same', { exchange: 'topic', routingKey: 'late' })
    expect(await publisher.publish(lost)).toBe('timeout')
    await soon('the late confirm', 30_000, () => publisher.inFlight() === 0)
    stand.proxy.answers({ kind: 'pass' })
    await stand.direct.bindQueue('q', 'topic', 'late')
    expect(await publisher.publish(lost)).toBe('confirmed')
  })
  it('makes a new channel of one whose whole window is overdue', async () => {
    const { publisher, link, channel } = await open({ confirmMs: 50, publications: 3 })
    stand.proxy.answers({ kind: 'delay', ms: 200 })
    const outcomes = ['a', 'b', 'c'].map((id) => publisher.publish(publication(id)))
    expect(await Promise.all(outcomes)).toEqual(['timeout', 'timeout', 'timeout'])
    await servingAnew(link, channel, 20_000)
    stand.proxy.answers({ kind: 'pass' })
    expect(publisher.inFlight()).toBe(0)
  })
})

describe('the confirm window', () => {
  it.each<[string, Partial<PublishLimits>]>([
    ['publications', { publications: 5 }],
    ['bytes', { bytes: 41 }],
  ])('is bounded in %s', async (_, limits) => {
    const { publisher } = await open(limits)
    const ten = () => publisher.publish(publication('0123456789'))
    const outcomes = await Promise.all(Array.from({ length: 20 }, ten))
    expect([count(outcomes, 'confirmed'), count(outcomes, 'unavailable')]).toEqual([5, 15])
    expect(await ten()).toBe('confirmed')
  })
  it('is written no faster than the socket takes it, and all of it', async () => {
    const { publisher, channel } = await open()
    const written = vi.spyOn(channel, 'publish')
    const body = Buffer.alloc(8000, 'x')
    const outcomes = Array.from({ length: 1900 }, (_, index) => publisher.publish(publication(`m${index}`, { body })))
    // amqplib's channel takes 2048 frames, and each such message is two.
    expect(written.mock.calls.length).toBeLessThanOrEqual(1024)
    expect(count(await Promise.all(outcomes), 'confirmed')).toBe(1900)
    expect(await stand.depth('q')).toBe(1900)
  })
})
