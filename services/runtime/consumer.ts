import type { ConfirmChannel, ConsumeMessage } from 'amqplib'
import { type Acker, createAcker, type Settlement } from './acker.ts'

/** A message, and the acker of the channel that brought it, on which alone it can be settled. */
export type Delivery = { message: ConsumeMessage; acker: Acker }

/** Why no message is taken: the process starts, the store is away, the pod is to go, or the process ends. */
export type Hold = 'start' | 'outage' | 'drain' | 'end'

export type Consumer = {
  /** To be called with each new channel. Rejects when the queue cannot be consumed. */
  setUp: (channel: ConfirmChannel) => Promise<void>
  /** Takes no more messages while anything holds, on this channel and the next; those delivered stay unacknowledged. */
  pause: (why: Hold) => Promise<void>
  /** Ends one hold: a store that answers again does not make a process take messages that is told to end. */
  resume: (why: Hold) => Promise<void>
  /** Resolves when the broker has heard of everything settled so far, or when its channel is gone. */
  heard: () => Promise<void>
}

/**
 * Consumes a queue with manual acknowledgement over whichever channel serves. When the broker cancels the consumer,
 * the link, which hears of it as well, makes a new channel.
 * @param deliver must not throw
 * @param firstAlone takes the first message of each channel by itself, beyond the prefetch. One that no client can read
 *   ends its connection and comes back; with a window of others behind it, each time would bring those nearer to their
 *   delivery limit, too
 */
export const createConsumer = (
  queue: string,
  prefetch: number,
  deliver: (delivery: Delivery) => void,
  { firstAlone = false } = {},
): Consumer => {
  const holds = new Set<Hold>()
  const wanted = (): boolean => holds.size === 0
  let align = async (): Promise<void> => undefined
  let heard = async (): Promise<unknown> => undefined

  /** What brings one channel to what is wanted: one step at a time, so that calls that overlap cannot consume twice. */
  const alignment = (channel: ConfirmChannel) => {
    const acker = createAcker(channel)
    let consumerTag: string | undefined
    let last = Promise.resolve()
    let alone = firstAlone
    const step = async (): Promise<void> => {
      if (wanted() && alone) {
        const first = await channel.get(queue)
        if (first !== false) deliver({ message: { ...first, fields: { ...first.fields, consumerTag: '' } }, acker })
        alone = false
      }
      if (wanted() && consumerTag === undefined)
        ({ consumerTag } = await channel.consume(queue, (message) => {
          if (message !== null) deliver({ message, acker })
        }))
      if (!wanted() && consumerTag !== undefined) {
        await channel.cancel(consumerTag)
        consumerTag = undefined
      }
    }
    return () => {
      last = last.then(step, step)
      return last
    }
  }

  // A step fails when its channel is gone; the set-up of the next one does what is wanted then.
  return {
    setUp: async (channel) => {
      await channel.prefetch(prefetch)
      align = alignment(channel)
      // A channel's commands are carried out in order: what answers comes after every acknowledgement before it.
      heard = async () => channel.checkQueue(queue)
      await align()
    },
    pause: (why) => {
      holds.add(why)
      return align().catch(() => undefined)
    },
    resume: (why) => {
      holds.delete(why)
      return align().catch(() => undefined)
    },
    heard: async () => void (await heard().catch(() => undefined)),
  }
}

/**
 * Settles a delivery; when its channel is gone the broker delivers it again, and there is nothing to do.
 * `blame` requeues, too, and counts towards the queue's delivery limit, which `requeue` does not from RabbitMQ 4.3 on.
 */
export const settle = ({ message, acker }: Delivery, how: Settlement): void => acker.settle(message, how)
