import { type ConfirmChannel, IllegalOperationError, type Message, type Options } from 'amqplib'
import type { Link } from './amqp.ts'

export type Publication = {
  exchange: string
  routingKey: string
  body: Buffer
  properties: Options.Publish & { messageId: string }
}

/**
 * What became of a publication. Only `confirmed` means that a quorum has it, in a queue. `unpublishable` cannot be
 * written as AMQP, such as headers over 64 KiB: it is the one that must not be tried again.
 */
export type Outcome = 'confirmed' | 'nacked' | 'returned' | 'timeout' | 'unavailable' | 'unpublishable'

export const OUTCOMES: readonly Outcome[] = [
  'confirmed',
  'nacked',
  'returned',
  'timeout',
  'unavailable',
  'unpublishable',
]

export type Publisher = {
  /** Never rejects. */
  publish: (publication: Publication) => Promise<Outcome>
  /** Publications that the broker has not answered yet, those that timed out included. */
  inFlight: () => number
  /** Takes a new channel into use; to be called by the link's set-up. */
  observe: (channel: ConfirmChannel) => void
}

export type PublishLimits = { confirmMs: number; publications: number; bytes: number }

/**
 * The confirm window. Beyond it the caller is told to come later, because amqplib keeps in memory, copied, what the
 * socket does not take. 2000 is well over the 500 that a quorum queue needs for its full rate.
 */
const DEFAULTS: PublishLimits = { confirmMs: 10_000, publications: 2000, bytes: 32 * 2 ** 20 }

/**
 * Messages that came back and are not acknowledged yet. A return names no publication, so it counts for the next
 * acknowledged one that is the same message to the same place. Which of several same ones it was makes no difference:
 * as many are called returned as have come back.
 */
const createReturns = () => {
  const messages: Message[] = []
  return {
    add: (message: Message): void => void messages.push(message),
    take: ({ exchange, routingKey, body, properties }: Publication): boolean => {
      if (messages.length === 0) return false
      const index = messages.findIndex(
        (message) =>
          message.properties.messageId === properties.messageId &&
          message.fields.exchange === exchange &&
          message.fields.routingKey === routingKey &&
          message.content.equals(body),
      )
      return index >= 0 && messages.splice(index, 1).length > 0
    },
  }
}

/** Publishing on one channel, until it closes: then everything that is under way becomes `unavailable` at once. */
const openLane = (channel: ConfirmChannel, limits: PublishLimits) => {
  const returns = createReturns()
  /** Publications that wait for the socket to drain, oldest first. */
  const waiting = new Set<() => void>()
  let clogged = false
  let closed = false
  let unconfirmed = 0
  let bytes = 0
  let overdue = 0

  const isFull = () => unconfirmed >= limits.publications || bytes >= limits.bytes
  const sendWaiting = () => {
    clogged = false
    for (const send of waiting) {
      if (clogged) return
      waiting.delete(send)
      send()
    }
  }
  channel.on('return', returns.add)
  channel.on('drain', sendWaiting)
  // Before amqplib's own listener, which fails the unconfirmed ones just as if the broker had refused them.
  channel.prependListener('close', () => {
    closed = true
    sendWaiting()
  })

  const publish = (publication: Publication): Promise<Outcome> => {
    const { exchange, routingKey, body, properties } = publication
    unconfirmed++
    bytes += body.length
    return new Promise((resolve) => {
      let isOverdue = false
      const conclude = (outcome: Outcome) => {
        clearTimeout(timer)
        unconfirmed--
        bytes -= body.length
        if (isOverdue) overdue--
        resolve(outcome)
      }
      const send = () => {
        try {
          const options = { ...properties, persistent: true, mandatory: true }
          clogged = !channel.publish(exchange, routingKey, body, options, (error: Error | null) => {
            if (error === null) conclude(returns.take(publication) ? 'returned' : 'confirmed')
            else conclude(closed ? 'unavailable' : 'nacked')
          })
        } catch (error) {
          conclude(error instanceof IllegalOperationError ? 'unavailable' : 'unpublishable')
        }
      }
      const timer = setTimeout(() => {
        if (waiting.delete(send)) return conclude('timeout')
        // Written, so it stays in the window until it is answered. When a whole window is overdue, this channel
        // answers nothing more and only a new one can.
        isOverdue = true
        overdue++
        resolve('timeout')
        if (overdue === unconfirmed && isFull()) void channel.close().catch(() => undefined)
      }, limits.confirmMs)
      if (clogged) waiting.add(send)
      else send()
    })
  }
  return { channel, isFull, publish, unconfirmed: () => unconfirmed }
}

/**
 * Publishes persistent messages with `mandatory` and waits for the broker's confirm. A broker confirms a message that
 * it could not route, after it has returned it: so the return counts.
 * @param link its set-up must call `observe` with each new channel
 */
export const createPublisher = (link: () => Link, limits = DEFAULTS): Publisher => {
  let lane: ReturnType<typeof openLane> | undefined
  return {
    inFlight: () => lane?.unconfirmed() ?? 0,
    observe: (channel) => {
      lane = openLane(channel, limits)
    },
    publish: (publication) => {
      const { channel, blocked } = link()
      if (lane === undefined || lane.channel !== channel() || blocked() || lane.isFull())
        return Promise.resolve('unavailable')
      return lane.publish(publication)
    },
  }
}
