/** What of `spec.broker` and `spec.retry` names and shapes a pipeline's topology. */
export type TopologySpec = {
  exchange: string
  queue: string
  deadLetterExchange: string
  maxLengthBytes: number
  /** One retry queue for each: the shortest wait of that step, ms. */
  delaysMs: readonly number[]
  jitterMs: number
}

export type Exchange = { name: string; type: 'topic' | 'fanout'; arguments: Record<string, string> }
/**
 * What a queue must not exceed: bytes in it, and ms in it of each message. A policy sets it, because RabbitMQ changes
 * that in place, and an argument never.
 */
export type Limits = { 'max-length-bytes'?: number; 'message-ttl'?: number }
export type Queue = { name: string; arguments: Record<string, string | number>; limits: Limits }
export type Binding = { exchange: string; queue: string; routingKey: string }

/** All durable. In the order in which they must be declared: what is pointed at comes first. */
export type Topology = { exchanges: Exchange[]; queues: Queue[]; bindings: Binding[] }

/** The names that follow from a pipeline's exchange, queue and dead-letter exchange. */
export type TopologyNames = {
  exchange: string
  routingKey: string
  queue: string
  retryQueues: string[]
  unrouted: string
  deadLetterExchange: string
  deadLetterQueue: string
  parkedQueue: string
}

const siblingOf = (name: string, sibling: string): string =>
  name.includes('.') ? `${name.slice(0, name.lastIndexOf('.'))}.${sibling}` : `${name}.${sibling}`

/** The longest ladder that a pipeline may have; the schema holds to it. */
export const MOST_DELAYS = 8

const retryQueueOf = (routingKey: string, step: number): string =>
  step === 0 ? `${routingKey}.retry` : `${routingKey}.retry.${step + 1}`

/**
 * Derives every name: `xray.raw.q` is fed by the key `xray.raw.v1` and retried through `xray.raw.v1.retry`,
 * `.retry.2` and so on; `iot.xray` overflows into `iot.unrouted`.
 */
export const topologyNames = (
  spec: Pick<TopologySpec, 'exchange' | 'queue' | 'deadLetterExchange' | 'delaysMs'>,
): TopologyNames => {
  const routingKey = `${spec.queue.replace(/\.q$/, '')}.v1`
  return {
    exchange: spec.exchange,
    routingKey,
    queue: spec.queue,
    retryQueues: spec.delaysMs.map((_, step) => retryQueueOf(routingKey, step)),
    unrouted: siblingOf(spec.exchange, 'unrouted'),
    deadLetterExchange: spec.deadLetterExchange,
    deadLetterQueue: spec.deadLetterExchange,
    parkedQueue: `${spec.deadLetterExchange}.parked`,
  }
}

/** The retry queues that a longer ladder of the same pipeline may have left. */
export const formerRetryQueues = ({ routingKey, retryQueues }: TopologyNames): string[] =>
  Array.from({ length: MOST_DELAYS - retryQueues.length }, (_, index) =>
    retryQueueOf(routingKey, retryQueues.length + index),
  )

const QUORUM = { 'x-queue-type': 'quorum', 'x-overflow': 'reject-publish' } as const
/** A crash loop is cut off by the broker; our own failures are counted in `x-attempt` and never requeued. */
const DELIVERY_LIMIT = 10
const DEAD_LETTER_DELIVERY_LIMIT = 20

/**
 * A dead letter is destroyed by nobody. Without a limit of ours RabbitMQ 4 drops a message at the 20th delivery; one
 * that cannot even be taken off its queue stands among the unrouted then, where anything is an alarm.
 */
const deadLetterArguments = (names: TopologyNames) => ({
  ...QUORUM,
  'x-delivery-limit': DEAD_LETTER_DELIVERY_LIMIT,
  'x-dead-letter-exchange': names.unrouted,
  'x-dead-letter-strategy': 'at-least-once',
})

/**
 * The whole topology of a pipeline. A dead-lettering queue keeps its message until the target has confirmed it
 * (`at-least-once`), which RabbitMQ does only together with `reject-publish` and a quorum queue.
 */
export const toTopology = (spec: TopologySpec): Topology => {
  const names = topologyNames(spec)
  const retryQueues = names.retryQueues.map((name, step) => ({
    name,
    arguments: {
      ...QUORUM,
      'x-dead-letter-exchange': '',
      'x-dead-letter-routing-key': names.queue,
      'x-dead-letter-strategy': 'at-least-once',
    },
    limits: { 'message-ttl': (spec.delaysMs[step] as number) + spec.jitterMs },
  }))
  return {
    exchanges: [
      { name: names.unrouted, type: 'fanout', arguments: {} },
      { name: names.deadLetterExchange, type: 'topic', arguments: {} },
      { name: names.exchange, type: 'topic', arguments: { 'alternate-exchange': names.unrouted } },
    ],
    queues: [
      { name: names.unrouted, arguments: { ...QUORUM }, limits: {} },
      { name: names.deadLetterQueue, arguments: deadLetterArguments(names), limits: {} },
      { name: names.parkedQueue, arguments: deadLetterArguments(names), limits: {} },
      {
        name: names.queue,
        arguments: {
          ...QUORUM,
          'x-dead-letter-exchange': names.deadLetterExchange,
          'x-dead-letter-routing-key': 'dead.delivery_limit',
          'x-dead-letter-strategy': 'at-least-once',
          'x-delivery-limit': DELIVERY_LIMIT,
        },
        limits: { 'max-length-bytes': spec.maxLengthBytes },
      },
      ...retryQueues,
    ],
    bindings: [
      { exchange: names.unrouted, queue: names.unrouted, routingKey: '' },
      { exchange: names.deadLetterExchange, queue: names.deadLetterQueue, routingKey: 'dead.#' },
      { exchange: names.exchange, queue: names.queue, routingKey: names.routingKey },
    ],
  }
}
