import type { ConsumeMessage } from 'amqplib'
import { describe, expect, it } from 'vitest'
import { sha256Hex } from '#contract/digest.ts'
import { readEnvelope } from '#contract/envelope-text.ts'
import type { Delivery } from '#runtime/consumer.ts'
import type { DeadLetterDocument } from '#runtime/dead-letter-store.ts'
import { archiveBatch } from './archiving.ts'

/** A store that is away at first, or refuses all, and refuses what is named `poison`; everything that happens, in order. */
const scripted = ({ isAway = false, refusesAll = false } = {}) => {
  const log: string[] = []
  const stored = new Map<string, DeadLetterDocument>()
  let away = isAway
  let refusing = refusesAll
  const delivery = (messageId: string, change: object = {}): Delivery => ({
    message: {
      content: Buffer.from(messageId),
      fields: { exchange: 'iot.dlx', routingKey: 'dead.x' },
      properties: { messageId, headers: { 'x-dlq-reason': 'schema_invalid' }, ...change },
    } as unknown as ConsumeMessage,
    acker: { settle: (_, how) => void log.push(`${how} ${messageId}`) },
  })
  const context = {
    parkedQueue: 'iot.dlx.parked',
    archive: async (documents: DeadLetterDocument[]) => {
      if (away) throw new Error('away')
      if (refusing || documents.some(({ messageId }) => messageId === 'poison')) throw new Error('refused')
      const fresh = documents.filter(({ _id }) => !stored.has(_id.toHexString()))
      for (const document of fresh) stored.set(document._id.toHexString(), document)
      log.push(`stored ${documents.map(({ messageId }) => messageId)}`)
      return fresh
    },
    alive: async () => !away,
    outage: async () => {
      log.push('outage')
      away = false
      refusing = false
    },
    wait: async () => void log.push('wait'),
    now: () => 7,
    archived: (reason: string) => void log.push(`archived ${reason}`),
    refused: (_: Error, messageId: string) => void log.push(`refused ${messageId}`),
  }
  return { archive: (...deliveries: Delivery[]) => archiveBatch(context, deliveries), delivery, log, stored }
}

describe('dead letters', () => {
  it('are stored together, and acknowledged after that', async () => {
    const { archive, delivery, log } = scripted()
    await archive(delivery('a'), delivery('b'))
    const counted = ['archived schema_invalid', 'archived schema_invalid']
    expect(log).toEqual(['stored a,b', 'ack a', 'ack b', ...counted])
  })

  it('that arrive again are one document, and counted once', async () => {
    const { archive, delivery, log, stored } = scripted()
    await archive(delivery('a'))
    await archive(delivery('a'))
    expect(stored.size).toBe(1)
    expect(log).toEqual(['stored a', 'ack a', 'archived schema_invalid', 'stored a', 'ack a'])
  })

  it('go back to their queue while the store is away, and no more are taken', async () => {
    const { archive, delivery, log } = scripted({ isAway: true })
    await archive(delivery('a'), delivery('b'))
    expect(log).toEqual(['outage', 'requeue a', 'requeue b'])
  })

  it('are not blamed by a store that answers and takes none', async () => {
    const { archive, delivery, log } = scripted({ refusesAll: true })
    await archive(delivery('a'), delivery('b'))
    expect(log).toEqual(['refused a', 'refused b', 'outage', 'requeue a', 'requeue b'])
  })

  it('of which the store refuses one are stored but for that one, which is blamed', async () => {
    const { archive, delivery, log } = scripted()
    await archive(delivery('a'), delivery('poison'), delivery('b'))
    expect(log.filter((line) => !line.startsWith('archived'))).toEqual([
      'stored a',
      'ack a',
      'refused poison',
      'stored b',
      'ack b',
      'wait',
      'blame poison',
    ])
  })
})

describe('a document', () => {
  const documentOf = async (change: object) => {
    const { archive, delivery, stored } = scripted()
    await archive(delivery('a', change))
    return [...stored.values()][0] as DeadLetterDocument
  }

  it('is made of a message without any properties', async () =>
    expect(await documentOf({ messageId: undefined, headers: undefined })).toMatchObject({
      messageId: '',
      reason: 'delivery_limit',
      state: 'open',
      parked: false,
      truncated: false,
    }))

  it('keeps odd headers as they are', async () => {
    const headers = {
      bytes: Buffer.from([0, 255]),
      deep: { $bytes: [null, Number.NaN] },
      time: { '!': 'timestamp', value: 1 },
    }
    expect(readEnvelope((await documentOf({ headers, timestamp: 1 })).envelope)).toEqual({
      messageId: 'a',
      timestamp: 1,
      headers,
    })
  })

  it('of a replay that failed again is parked', async () =>
    expect(await documentOf({ headers: { 'x-replay-count': 2 } })).toMatchObject({ parked: true, replays: 2 }))
})

it.each([
  ['as large as the broker of the chart takes is kept whole', 2 ** 20, false],
  ['larger is cut, whole in its digest, and not for replay', 2 ** 20 + 1, true],
])('a body that is %s', async (_, bytes, truncated) => {
  const { archive, delivery, stored } = scripted()
  const large = delivery('large')
  large.message.content = Buffer.alloc(bytes)
  await archive(large)
  const [document] = [...stored.values()]
  expect(document).toMatchObject({ truncated, bodyBytes: bytes, bodySha256: sha256Hex(Buffer.alloc(bytes)) })
  expect(document?.body.length()).toBe(2 ** 20)
})
