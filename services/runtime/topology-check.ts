import type { ConfirmChannel } from 'amqplib'
import type { TopologyNames } from '#contract/topology.ts'

const NOT_FOUND = 404

const unusable = (what: string) => (error: Error & { code?: number }) => {
  throw new Error(
    error.code === NOT_FOUND
      ? `${what} is missing; the operator declares it`
      : `${what} cannot be used: ${error.message}`,
    { cause: error },
  )
}

/**
 * Asks the broker for everything that a pipeline needs, without declaring anything: that is the operator's. A passive
 * declare compares no arguments; the operator does.
 * @throws Error that names the first thing that is missing; the channel is then closed by the broker
 */
export const assertTopology = async (channel: ConfirmChannel, names: TopologyNames): Promise<void> => {
  // One by one: the first failure closes the channel, and calls behind it would fail with less to say.
  for (const exchange of [names.exchange, names.deadLetterExchange])
    await channel.checkExchange(exchange).catch(unusable(`exchange ${exchange}`))
  for (const queue of [names.queue, ...names.retryQueues, names.deadLetterQueue])
    await channel.checkQueue(queue).catch(unusable(`queue ${queue}`))
}
