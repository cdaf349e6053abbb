import type { ConsumeMessage } from 'amqplib'
import { expect, it } from 'vitest'
import { topologyNames } from '#contract/topology.ts'
import type { Publication } from '#runtime/publisher.ts'
import { type HandlingContext, handleBatch } from './handling.ts'

const names = topologyNames({ exchange: 'x', queue: 'x.raw.q', deadLetterExchange: 'x.dlx', delaysMs: [1] })

/** Handles one message that nobody signed. Returns where its copy went, and whether it was acknowledged after that. */
const handleForged = async (headers: Record<string, unknown>) => {
  const published: Publication[] = []
  let acked = 0
  const unplanned = () => Promise.reject(new Error('nothing is stored of a message that nobody signed'))
  const context: HandlingContext = {
    messageKeys: () => new Map(),
    idempotency: { claim: unplanned, markStored: unplanned },
    publisher: {
      publish: async (publication) => {
        published.push(publication)
        if (publication.properties.headers?.['x-filler'] === 'unpublishable') return 'unpublishable'
        return acked === 0 ? 'confirmed' : 'nacked'
      },
      inFlight: () => 0,
      observe: () => undefined,
    },
    names,
    retry: { maxRetries: 3, delaysMs: [1], jitterMs: 0 },
    now: () => 7,
    random: () => 0,
    watch: () => ({
      lap: () => undefined,
      skip: () => undefined,
      stored: () => undefined,
      ended: () => undefined,
      close: () => undefined,
    }),
    pause: unplanned,
    store: unplanned,
    alive: unplanned,
    outage: unplanned,
  }
  const message = { content: Buffer.from('{}'), properties: { messageId: 'm', headers } } as unknown as ConsumeMessage
  const acker = { settle: () => acked++ }
  await handleBatch(context, [{ message, acker }])
  return { acked, published }
}

it('a message that fails goes to the dead-letter exchange', async () =>
  expect(await handleForged({})).toMatchObject({
    acked: 1,
    published: [{ exchange: 'x.dlx', routingKey: 'dead.auth_bad_signature' }],
  }))

it('a replay that fails again is parked, with what it failed of', async () =>
  expect(await handleForged({ 'x-replay-count': 1, 'x-replay-of': 'ab' })).toMatchObject({
    acked: 1,
    published: [
      {
        exchange: '',
        routingKey: 'x.dlx.parked',
        properties: { headers: { 'x-replay-count': 1, 'x-replay-of': 'ab', 'x-dlq-reason': 'auth_bad_signature' } },
      },
    ],
  }))

it('a message whose headers leave no room for ours goes to the dead letters without its own', async () => {
  const published = await handleForged({ 'x-filler': 'unpublishable' })
  expect(published).toMatchObject({ acked: 1, published: [{}, { exchange: 'x.dlx' }] })
  expect(published.published[1]?.properties.headers).toEqual({
    'x-dlq-reason': 'auth_bad_signature',
    'x-dlq-detail': expect.any(String),
    'x-first-failed-at': 7,
  })
})

it.each(['CC', 'BCC', 'x-death'])('a copy carries no %s, by which the broker would act on it', async (name) => {
  const { published } = await handleForged({ [name]: ['x.raw.q'] })
  expect(Object.keys(published[0]?.properties.headers ?? {})).not.toContain(name)
})
