import type { Options } from 'amqplib'
import type { Link } from './amqp.ts'

export type Publication = {
  exchange: string
  routingKey: string
  body: Buffer
  properties: Options.Publish & { messageId: string }
}

/** What became of a publication. Only `confirmed` means that a quorum has it, in a queue. */
export type Outcome = 'confirmed' | 'nacked' | 'returned' | 'timeout' | 'unavailable'

export const OUTCOMES: readonly Outcome[] = ['confirmed', 'nacked', 'returned', 'timeout', 'unavailable']

export type Publisher = {
  publish: (publication: Publication) => Promise<Outcome>
  inFlight: () => number
  observe: (channel: ReturnChannel) => void
}

/** The part of a channel that tells of returned messages. */
export type ReturnChannel = {
  on: (event: 'return', listener: (message: { properties: { messageId?: unknown } }) => void) => unknown
}

const CONFIRM_LIMIT_MS = 10_000
/** amqplib keeps in memory what the socket does not take; beyond this many the caller is told to come later. */
const MOST_IN_FLIGHT = 2000

/**
 * Publishes persistent messages with `mandatory` and waits for the broker's confirm. A broker confirms a message that
 * it could not route, after it has returned it: so the return counts.
 * @param link its set-up must call `observe` with each new channel
 */
export const createPublisher = (link: () => Link): Publisher => {
  const returned = new Set<string>()
  let inFlight = 0
  return {
    inFlight: () => inFlight,
    observe: (channel) => void channel.on('return', ({ properties }) => returned.add(String(properties.messageId))),
    publish: ({ exchange, routingKey, body, properties }) => {
      const channel = link().channel()
      if (channel === undefined || link().blocked() || inFlight >= MOST_IN_FLIGHT) return Promise.resolve('unavailable')
      inFlight++
      return new Promise<Outcome>((resolve) => {
        const timer = setTimeout(() => resolve('timeout'), CONFIRM_LIMIT_MS)
        try {
          channel.publish(exchange, routingKey, body, { ...properties, persistent: true, mandatory: true }, (error) => {
            clearTimeout(timer)
            const wasReturned = returned.delete(properties.messageId)
            resolve(error ? 'nacked' : wasReturned ? 'returned' : 'confirmed')
          })
        } catch {
          clearTimeout(timer)
          resolve('unavailable') // the channel closed between the question and the call
        }
      }).finally(() => {
        inFlight--
      })
    },
  }
}
