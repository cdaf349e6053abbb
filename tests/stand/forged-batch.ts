import type { ConsumeMessage } from 'amqplib'
import { topologyNames } from '#contract/topology.ts'
import type { Publication } from '#runtime/publisher.ts'
import { type HandlingContext, handleBatch } from '../../services/signals/handling.ts'

export const NAMES = topologyNames({ exchange: 'x', queue: 'x.raw.q', deadLetterExchange: 'x.dlx', delaysMs: [1] })

/** Watches nothing. */
export const UNWATCHED: HandlingContext['watch'] = () => ({
  lap: () => undefined,
  skip: () => undefined,
  stored: () => undefined,
  ended: () => undefined,
  close: () => undefined,
})

/**
 * Handles a batch of messages that nobody signed, by their ids; no store is asked for such.
 * @param watch follows the batch
 * @param nowMs the time, ms since the epoch
 * @returns what was published, and the ids of the messages that were settled; the publisher refuses what has the header
 *   `x-filler: unpublishable`, and confirms nothing once a message is settled that was not published before
 */
export const handleForged = async (
  messages: Record<string, Record<string, unknown>>,
  watch: HandlingContext['watch'],
  nowMs: number,
): Promise<{ published: Publication[]; settled: string[] }> => {
  const published: Publication[] = []
  const settled: string[] = []
  const unplanned = () => Promise.reject(new Error('nothing is stored of a message that nobody signed'))
  const context: HandlingContext = {
    messageKeys: () => new Map(),
    idempotency: { claim: unplanned, markStored: unplanned },
    publisher: {
      publish: async (publication) => {
        published.push(publication)
        if (publication.properties.headers?.['x-filler'] === 'unpublishable') return 'unpublishable'
        return settled.includes(String(publication.properties.messageId)) ? 'nacked' : 'confirmed'
      },
      inFlight: () => 0,
      observe: () => undefined,
    },
    names: NAMES,
    retry: { maxRetries: 3, delaysMs: [1], jitterMs: 0 },
    now: () => nowMs,
    random: () => 0,
    watch,
    pause: unplanned,
    store: unplanned,
    alive: unplanned,
    outage: unplanned,
  }
  const deliveries = Object.entries(messages).map(([id, headers]) => ({
    message: {
      content: Buffer.from('{}'),
      fields: { exchange: 'x', routingKey: 'r', deliveryTag: 1 },
      properties: { messageId: id, headers },
    } as unknown as ConsumeMessage,
    acker: { settle: () => settled.push(id) },
  }))
  await handleBatch(context, deliveries)
  return { published, settled }
}
