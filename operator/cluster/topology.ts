import type { Exchange, Queue, Topology } from '#contract/topology.ts'
import { decideTopology, type Former, type Found, formerAmong, type Policy } from '../decide/topology.ts'
import { type Broker, ok } from './broker.ts'
import { createSharedReading, type SharedReading } from './shared-reading.ts'

const encoded = encodeURIComponent

/** What a user without the tag `policymaker` is answered. */
const MAY_NOT = [401, 403]

const policiesOf = async (broker: Broker): Promise<Policy[] | undefined> => {
  const { status, text } = await broker.request('GET', `/api/policies/${encoded(broker.vhost)}`)
  if (MAY_NOT.includes(status)) return undefined
  if (status >= 300) throw new Error(`the broker answered ${status} to GET /api/policies: ${text.slice(0, 200)}`)
  return JSON.parse(text) as Policy[]
}

/** What a virtual host holds, or why that cannot be known. */
export type TopologyFound = Found | { problem: string }

/** Reads the topology of a virtual host. @throws Error when the broker cannot be asked */
export const readTopology = async (broker: Broker): Promise<TopologyFound> => {
  const vhost = encoded(broker.vhost)
  const read = async <T>(path: string): Promise<T> => JSON.parse(await ok(broker, 'GET', path)) as T
  // One after the other: a user that may not read policies may read the rest, and a wrong password is no such user.
  const queues = await read<Queue[]>(`/api/queues/${vhost}?columns=name,arguments`)
  const policies = await policiesOf(broker)
  if (policies === undefined)
    return {
      problem: `user ${broker.username} may not set policies, which limit the queues: give it the tag policymaker`,
    }
  const exchanges = await read<Exchange[]>(`/api/exchanges/${vhost}?columns=name,type,arguments`)
  const bindings = await read<{ source: string; destination: string; routing_key: string }[]>(`/api/bindings/${vhost}`)
  return {
    exchanges,
    queues,
    policies,
    bindings: bindings.map(({ source, destination, routing_key }) => ({
      exchange: source,
      queue: destination,
      routingKey: routing_key,
    })),
  }
}

/** Reads the topology of each virtual host once for all pipelines that use it. */
export const createTopologies = (): SharedReading<TopologyFound> => createSharedReading(readTopology)

/**
 * Declares what is missing of a topology; limits first, so that no queue is ever there without its own.
 * @param found what the virtual host held a while ago; what has come since is declared once more, which changes nothing
 * @returns why nothing was declared: something is there in a form that the broker cannot change
 * @throws Error when the broker cannot be asked or refuses
 */
export const declareTopology = async (
  broker: Broker,
  topology: Topology,
  found: TopologyFound,
): Promise<string | undefined> => {
  const vhost = encoded(broker.vhost)
  if ('problem' in found) return found.problem
  const plan = decideTopology(topology, found)
  if ('problem' in plan) return plan.problem
  for (const { name, ...policy } of plan.policies)
    await ok(broker, 'PUT', `/api/policies/${vhost}/${encoded(name)}`, policy)
  for (const { name, ...exchange } of plan.exchanges)
    await ok(broker, 'PUT', `/api/exchanges/${vhost}/${encoded(name)}`, { durable: true, ...exchange })
  for (const { name, limits: _, ...queue } of plan.queues)
    await ok(broker, 'PUT', `/api/queues/${vhost}/${encoded(name)}`, { durable: true, ...queue })
  for (const { exchange, queue, routingKey } of plan.bindings)
    await ok(broker, 'POST', `/api/bindings/${vhost}/e/${encoded(exchange)}/q/${encoded(queue)}`, {
      routing_key: routingKey,
    })
  return undefined
}

/**
 * Deletes queues with their policies, and exchanges; what is gone already is fine. An exchange that others still bind
 * stays.
 * @throws Error when the broker cannot be asked, or does not delete a queue, as one that is locked
 */
export const deleteTopology = async (
  broker: Broker,
  names: { queues: string[]; exchanges: string[] },
): Promise<void> => {
  const vhost = encoded(broker.vhost)
  const unconditional = names.queues
    .flatMap((name) => [`/api/queues/${vhost}/${encoded(name)}`, `/api/policies/${vhost}/${encoded(name)}`])
    .map((path) => ({ path, fine: [404] }))
  const unused = names.exchanges.map((name) => ({
    path: `/api/exchanges/${vhost}/${encoded(name)}?if-unused=true`,
    // Others still bind it.
    fine: [400, 404],
  }))
  for (const { path, fine } of [...unconditional, ...unused]) {
    const { status, text } = await broker.request('DELETE', path)
    if (status >= 300 && !fine.includes(status))
      throw new Error(`the broker answered ${status} to DELETE ${path}: ${text.slice(0, 200)}`)
  }
}

/**
 * Deletes retry queues that a shorter ladder left: of those of these names the ones that return their messages to this
 * pipeline's queue, for a name alone may be anybody's.
 * @param full deletes those with messages in them, too
 */
export const removeFormerQueues = async (
  broker: Broker,
  candidates: readonly string[],
  queue: string,
  full: boolean,
): Promise<void> => {
  if (candidates.length === 0) return
  const path = `/api/queues/${encoded(broker.vhost)}?columns=name,arguments,messages`
  const all = JSON.parse(await ok(broker, 'GET', path)) as Former[]
  await deleteTopology(broker, { queues: formerAmong(all, candidates, queue, full), exchanges: [] })
}
