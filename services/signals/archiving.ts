import { type DeadLetterReason, readDeadLetter } from '#contract/dead-letter.ts'
import { type Delivery, settle } from '#runtime/consumer.ts'
import { type DeadLetterDocument, toDeadLetter } from '#runtime/dead-letter-store.ts'

export type ArchivingContext = {
  parkedQueue: string
  /** Stores them all together with majority and returns the new ones; throws when it is not known to be done. */
  archive: (documents: DeadLetterDocument[]) => Promise<DeadLetterDocument[]>
  /** True when the store answers and takes writes. */
  alive: () => Promise<boolean>
  /** Takes no more dead letters, from this call on, until the store answers and a moment has passed. */
  outage: (error: Error) => Promise<void>
  wait: () => Promise<void>
  now: () => number
  archived: (reason: DeadLetterReason) => void
  /** The store refused this one by itself. */
  refused: (error: Error, messageId: string) => void
}

const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

const documentOf = ({ message }: Delivery, parkedQueue: string, nowMs: number): DeadLetterDocument => {
  const { messageId, contentType, timestamp, headers = {} } = message.properties
  const [id, type] = [textOf(messageId), textOf(contentType)]
  const envelope = {
    ...(id !== undefined && { messageId: id }),
    ...(type !== undefined && { contentType: type }),
    ...(typeof timestamp === 'number' && { timestamp }),
    headers,
  }
  const parked = message.fields.exchange === '' && message.fields.routingKey === parkedQueue
  return toDeadLetter(envelope, message.content, readDeadLetter(headers), parked, new Date(nowMs))
}

type Letter = { delivery: Delivery; document: DeadLetterDocument }

const store = async (context: ArchivingContext, letters: Letter[]): Promise<void> => {
  const fresh = await context.archive(letters.map(({ document }) => document))
  for (const { delivery } of letters) settle(delivery, 'ack')
  for (const { reason } of fresh) context.archived(reason)
}

/** Back to the queue with them, where they wait for the store: held unacknowledged they would time out with us. */
const giveBack = (context: ArchivingContext, letters: Letter[], error: Error): Promise<void> => {
  const over = context.outage(error)
  for (const { delivery } of letters) settle(delivery, 'requeue')
  return over
}

/**
 * Moves dead letters into the store: each is acknowledged only after the store confirmed it by majority, so that a
 * crash between leaves it in both, and the same again is found to be there.
 *
 * A store that answers and takes none has a fault of its own, such as a full disk, and is waited for as well. A letter
 * that it refuses while it takes others is given back with blame: after its queue's delivery limit it stands among the
 * unrouted, whole, and holds up nobody.
 */
export const archiveBatch = async (context: ArchivingContext, deliveries: Delivery[]): Promise<void> => {
  const letters = deliveries.map((delivery) => ({
    delivery,
    document: documentOf(delivery, context.parkedQueue, context.now()),
  }))
  let failure: Error
  try {
    return await store(context, letters)
  } catch (error) {
    failure = error as Error
  }
  if (!(await context.alive())) return giveBack(context, letters, failure)
  const refused: Letter[] = []
  for (const letter of letters)
    await store(context, [letter]).catch((error: Error) => {
      context.refused(error, letter.document.messageId)
      refused.push(letter)
    })
  if (refused.length === letters.length) return giveBack(context, letters, failure)
  if (refused.length > 0) await context.wait()
  for (const { delivery } of refused) settle(delivery, 'blame')
}
