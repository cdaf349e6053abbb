import type { Binding, Exchange, Queue, Topology } from '#contract/topology.ts'

/** A policy for one queue. */
export type Policy = {
  name: string
  pattern: string
  'apply-to': string
  priority: number
  definition: Record<string, number>
}

/** What of a virtual host's topology the broker tells. */
export type Found = {
  exchanges: Exchange[]
  queues: Pick<Queue, 'name' | 'arguments'>[]
  bindings: Binding[]
  policies: Policy[]
}

export type TopologyPlan =
  | { problem: string }
  | { policies: Policy[]; exchanges: Exchange[]; queues: Queue[]; bindings: Binding[] }

/** Above what somebody sets for all queues: RabbitMQ applies one policy to a queue, that of the highest priority. */
const PRIORITY = 100

const policyOf = ({ name, limits }: Queue): Policy[] =>
  Object.keys(limits).length === 0
    ? []
    : [
        {
          name,
          pattern: `^${name.replace(/[.+*?^$()[\]{}|\\]/g, '\\$&')}$`,
          'apply-to': 'queues',
          priority: PRIORITY,
          definition: limits as Record<string, number>,
        },
      ]

const samePolicy = (a: Policy, b: Policy | undefined): boolean =>
  a.pattern === b?.pattern &&
  a['apply-to'] === b['apply-to'] &&
  a.priority === b.priority &&
  JSON.stringify(Object.entries(a.definition).sort()) === JSON.stringify(Object.entries(b.definition).sort())

const differences = (wanted: Record<string, unknown>, found: Record<string, unknown>): string[] =>
  [...new Set([...Object.keys(wanted), ...Object.keys(found)])]
    .filter((name) => wanted[name] !== found[name])
    .map((name) => `${name} is ${found[name] ?? 'not set'}, wanted ${wanted[name] ?? 'not set'}`)

/**
 * What differs of a queue's arguments. A limit may stand among them, too: of argument and policy the lower counts, so
 * one that is no lower does no harm.
 */
const queueDifferences = (wanted: Queue, found: Pick<Queue, 'arguments'>): string[] => {
  const limits = Object.entries(wanted.limits).map(([name, value]) => [`x-${name}`, value] as const)
  const rest = Object.entries(found.arguments).filter(([name]) => !limits.some(([limit]) => limit === name))
  const held = limits.flatMap(([name, value]) => {
    const argument = found.arguments[name]
    return argument === undefined || Number(argument) >= value
      ? []
      : [`its argument ${name} holds the limit at ${argument}, wanted ${value}`]
  })
  return [...held, ...differences(wanted.arguments, Object.fromEntries(rest))]
}

const exchangeDifferences = (wanted: Exchange, found: Exchange): string[] => [
  ...(found.type === wanted.type ? [] : [`type is ${found.type}, wanted ${wanted.type}`]),
  ...differences(wanted.arguments, found.arguments),
]

/**
 * What must be declared so that a virtual host has a topology: nothing at all when something of it is there in another
 * form, which RabbitMQ cannot change in place. Half a topology would take messages that nobody delivers.
 */
export const decideTopology = (wanted: Topology, found: Found): TopologyPlan => {
  const named = <T extends { name: string }>(all: readonly T[], name: string) => all.find((one) => one.name === name)
  const problems = [
    ...wanted.exchanges.flatMap((exchange) => {
      const other = named(found.exchanges, exchange.name)
      const differing = other === undefined ? [] : exchangeDifferences(exchange, other)
      return differing.length === 0 ? [] : [`exchange ${exchange.name}: ${differing.join(', ')}`]
    }),
    ...wanted.queues.flatMap((queue) => {
      const other = named(found.queues, queue.name)
      const differing = other === undefined ? [] : queueDifferences(queue, other)
      return differing.length === 0 ? [] : [`queue ${queue.name}: ${differing.join(', ')}`]
    }),
  ]
  if (problems.length > 0)
    return {
      problem: `${problems.join('; ')}. RabbitMQ cannot change that in place: put the spec back, or delete the queue or exchange once nothing is in it; it is declared anew then`,
    }
  return {
    policies: wanted.queues
      .flatMap(policyOf)
      .filter((policy) => !samePolicy(policy, named(found.policies, policy.name))),
    exchanges: wanted.exchanges.filter(({ name }) => named(found.exchanges, name) === undefined),
    queues: wanted.queues.filter(({ name }) => named(found.queues, name) === undefined),
    bindings: wanted.bindings.filter(
      (binding) =>
        !found.bindings.some(
          ({ exchange, queue, routingKey }) =>
            exchange === binding.exchange && queue === binding.queue && routingKey === binding.routingKey,
        ),
    ),
  }
}

/** What was seen of a queue that a shorter ladder left: messages in it, and since when there have been none. */
export type EmptySince = ReadonlyMap<string, number>

/**
 * A pod that was told to end may publish retries for 60 s more, and the broker's figures are up to 10 s old. A quorum
 * queue cannot be deleted on the condition that it is empty, so it must have been, for longer than both.
 */
const QUIET_MS = 120_000

/**
 * Which former retry queues can go: those that were empty in every look since all pods know the shorter ladder, long
 * enough. Messages that still wait in one return to the main queue by themselves.
 * @param looks at all queues of the virtual host; one that is not among them is unknown, and stays
 * @param settled every pod runs with the settings of now
 * @param before what the last call returned
 */
export const decideFormerQueues = (
  former: readonly string[],
  looks: readonly { name: string; atMs: number; ready: number; unacked: number }[],
  settled: boolean,
  before: EmptySince,
): { remove: string[]; emptySince: EmptySince } => {
  const emptySince = new Map<string, number>()
  const remove: string[] = []
  for (const { name, atMs, ready, unacked } of looks) {
    if (!settled || !former.includes(name) || ready + unacked > 0) continue
    const since = before.get(name) ?? atMs
    if (atMs - since >= QUIET_MS) remove.push(name)
    else emptySince.set(name, since)
  }
  return { remove, emptySince }
}

/** A queue as the broker tells of it; without `messages` while their number is not known. */
export type Former = { name: string; arguments: Record<string, string | number>; messages?: number }

/**
 * Of these queues the names of those that a longer ladder of this pipeline made: the name alone may be anybody's, but
 * only they return their messages to its queue.
 * @param full those with messages in them, too
 */
export const formerAmong = (
  all: readonly Former[],
  candidates: readonly string[],
  queue: string,
  full: boolean,
): string[] =>
  all
    .filter(({ name }) => candidates.includes(name))
    .filter(({ arguments: args }) => args['x-dead-letter-routing-key'] === queue)
    .filter(({ messages }) => full || messages === 0)
    .map(({ name }) => name)
