import type { Channel, ChannelModel } from 'amqplib'
import type { Queue, Topology } from '#contract/topology.ts'

/** A limit as an argument: nothing here changes one, and AMQP sets no policies. */
const limitArguments = ({ limits }: Queue) =>
  Object.fromEntries(Object.entries(limits).map(([name, value]) => [`x-${name}`, value]))

/** Declares a pipeline's topology as the operator does, but for the policies. */
export const declareOn = async (channel: Channel, topology: Topology): Promise<void> => {
  for (const { name, type, arguments: args } of topology.exchanges)
    await channel.assertExchange(name, type, { durable: true, arguments: args })
  for (const queue of topology.queues)
    await channel.assertQueue(queue.name, {
      durable: true,
      arguments: { ...queue.arguments, ...limitArguments(queue) },
    })
  for (const { queue, exchange, routingKey } of topology.bindings) await channel.bindQueue(queue, exchange, routingKey)
}

/** The same over a channel of its own. */
export const declare = async (broker: ChannelModel, topology: Topology): Promise<void> => {
  const channel = await broker.createChannel()
  await declareOn(channel, topology)
  await channel.close()
}

/** Removes a topology, whatever of it is there. */
export const undeclare = async (broker: ChannelModel, topology: Topology): Promise<void> => {
  const channel = await broker.createChannel()
  for (const { name } of topology.queues) await channel.deleteQueue(name)
  for (const { name } of topology.exchanges) await channel.deleteExchange(name)
  await channel.close()
}
