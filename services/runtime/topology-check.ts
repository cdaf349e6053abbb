import type { ConfirmChannel } from 'amqplib'
import type { TopologyNames } from '#contract/topology.ts'

/**
 * Asks the broker for everything that a pipeline needs, without declaring anything: that is the operator's.
 * @throws Error that names the first thing that is missing; the channel is then closed by the broker
 */
export const assertTopology = async (channel: ConfirmChannel, names: TopologyNames): Promise<void> => {
  for (const exchange of [names.exchange, names.deadLetterExchange])
    await channel.checkExchange(exchange).catch((error: Error) => {
      throw new Error(`exchange ${exchange} cannot be used; the operator declares it: ${error.message}`)
    })
  for (const queue of [names.queue, ...names.retryQueues, names.deadLetterQueue])
    await channel.checkQueue(queue).catch((error: Error) => {
      throw new Error(`queue ${queue} cannot be used; the operator declares it: ${error.message}`)
    })
}
