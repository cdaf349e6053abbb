import type { ConfirmChannel, ConsumeMessage } from 'amqplib'

/** A message and the channel that brought it, on which alone it can be settled. */
export type Delivery = { message: ConsumeMessage; channel: ConfirmChannel }

export type Consumer = {
  /** To be called with each new channel. */
  setUp: (channel: ConfirmChannel) => Promise<void>
  /** Takes no more messages until `resume`; those delivered stay unacknowledged. */
  pause: () => Promise<void>
  resume: () => Promise<void>
}

/** Consumes a queue with manual acknowledgement over whichever channel serves. */
export const createConsumer = (queue: string, prefetch: number, deliver: (delivery: Delivery) => void): Consumer => {
  let channel: ConfirmChannel | undefined
  let consumerTag: string | undefined
  let paused = false

  const consume = async (on: ConfirmChannel): Promise<void> => {
    const { consumerTag: tag } = await on.consume(queue, (message) => {
      if (message !== null) deliver({ message, channel: on })
      // The broker cancelled us: its queue went away or moved. A new channel starts over.
      else void on.close().catch(() => undefined)
    })
    consumerTag = tag
  }

  return {
    setUp: async (fresh) => {
      channel = fresh
      consumerTag = undefined
      await fresh.prefetch(prefetch)
      if (!paused) await consume(fresh)
    },
    pause: async () => {
      paused = true
      if (channel !== undefined && consumerTag !== undefined) await channel.cancel(consumerTag).catch(() => undefined)
      consumerTag = undefined
    },
    resume: async () => {
      paused = false
      if (channel !== undefined && consumerTag === undefined) await consume(channel).catch(() => undefined)
    },
  }
}

/** Settles a delivery; when its channel is gone the broker delivers it again, and there is nothing to do. */
export const settle = ({ message, channel }: Delivery, how: 'ack' | 'requeue'): void => {
  try {
    if (how === 'ack') channel.ack(message)
    else channel.nack(message, false, true)
  } catch {
    // IllegalOperationError: the channel is closed
  }
}
