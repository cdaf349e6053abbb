import { type ConfirmChannel, type ConsumeMessage, IllegalOperationError } from 'amqplib'

/** `upTo` acknowledges every delivery up to and with it, 0 none; the others one each. */
export type Acknowledgements = { upTo: number; single: number[] }

/**
 * Keeps account of the delivery tags of one channel, which count from 1, so that one acknowledgement can stand for
 * many: for a tag below which nothing is unsettled.
 */
export const createTally = () => {
  let settledUpTo = 0
  const settledBeyond = new Set<number>()
  const settled = (tag: number): void => {
    if (tag === settledUpTo + 1) settledUpTo++
    else settledBeyond.add(tag)
    while (settledBeyond.delete(settledUpTo + 1)) settledUpTo++
  }
  return {
    /** The tag is settled by other means than an acknowledgement. */
    settled,
    /** What to write when these tags, none of them settled before, are acknowledged together. */
    acknowledge: (tags: readonly number[]): Acknowledgements => {
      for (const tag of tags) settled(tag)
      const acknowledgements: Acknowledgements = { upTo: 0, single: [] }
      for (const tag of tags) {
        if (tag > settledUpTo) acknowledgements.single.push(tag)
        // Of those given, not `settledUpTo` itself: the broker closes a channel for a tag that it knows no more.
        else acknowledgements.upTo = Math.max(acknowledgements.upTo, tag)
      }
      return acknowledgements
    },
  }
}

export type Settlement = 'ack' | 'requeue' | 'blame'

export type Acker = { settle: (message: ConsumeMessage, how: Settlement) => void }

const tagOnly = (deliveryTag: number) => ({ fields: { deliveryTag } }) as ConsumeMessage

/**
 * Settles the deliveries of one channel. What is acknowledged in one turn is written together at its end: a batch of
 * 200 is one frame instead of 200. Measured (8,000 messages of 1 KB from a quorum queue, batches of 200, two cores,
 * the broker on them): 11,000-15,000/s and 13-24 us of our CPU each with a frame for each, 25,000/s and 3-9 us so.
 * When the channel is gone the broker delivers again, and there is nothing to do.
 */
export const createAcker = (channel: ConfirmChannel): Acker => {
  const tally = createTally()
  let acknowledged: number[] = []

  const unlessClosed = (write: () => void): void => {
    try {
      write()
    } catch (error) {
      if (!(error instanceof IllegalOperationError)) throw error
    }
  }
  const flush = (): void => {
    const { upTo, single } = tally.acknowledge(acknowledged)
    acknowledged = []
    unlessClosed(() => {
      if (upTo > 0) channel.ack(tagOnly(upTo), true)
      for (const tag of single) channel.ack(tagOnly(tag))
    })
  }

  return {
    settle: (message, how) => {
      const { deliveryTag } = message.fields
      if (how === 'ack') {
        if (acknowledged.length === 0) queueMicrotask(flush)
        acknowledged.push(deliveryTag)
        return
      }
      unlessClosed(() => (how === 'blame' ? channel.reject(message, true) : channel.nack(message, false, true)))
      tally.settled(deliveryTag)
    },
  }
}
