import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bytesOf, DEFAULTS, topologySpecOf } from './pipeline.ts'
import { decideRetry } from './retry.ts'
import { formerRetryQueues, topologyNames, toTopology } from './topology.ts'

const spec = topologySpecOf(DEFAULTS)
const topology = toTopology(spec)

it('the defaults give the names of the seed', () =>
  expect(topologyNames(spec)).toEqual({
    exchange: 'iot.xray',
    routingKey: 'xray.raw.v1',
    queue: 'xray.raw.q',
    retryQueues: ['xray.raw.v1.retry', 'xray.raw.v1.retry.2', 'xray.raw.v1.retry.3', 'xray.raw.v1.retry.4'],
    unrouted: 'iot.unrouted',
    deadLetterExchange: 'iot.dlx',
    deadLetterQueue: 'iot.dlx',
    parkedQueue: 'iot.dlx.parked',
  }))

it('the defaults give the waits of the seed', () =>
  expect(topology.queues.map((queue) => queue.limits['message-ttl']).filter(Boolean)).toEqual([2000, 3000, 5000, 9000]))

it('every queue that dead-letters keeps a message until its target has it', () => {
  const deadLettering = topology.queues.filter((queue) => 'x-dead-letter-exchange' in queue.arguments)
  expect(deadLettering).toHaveLength(7)
  for (const queue of deadLettering)
    expect(queue.arguments).toMatchObject({
      'x-queue-type': 'quorum',
      'x-overflow': 'reject-publish',
      'x-dead-letter-strategy': 'at-least-once',
    })
})

it('a dead letter that cannot be taken off its queue becomes an alarm and is never dropped', () => {
  for (const name of ['iot.dlx', 'iot.dlx.parked'])
    expect(topology.queues.find((queue) => queue.name === name)?.arguments).toMatchObject({
      'x-delivery-limit': 20,
      'x-dead-letter-exchange': 'iot.unrouted',
    })
})

it('what a shorter ladder leaves are the queues behind its last step', () => {
  expect(formerRetryQueues(topologyNames(spec))).toEqual([5, 6, 7, 8].map((step) => `xray.raw.v1.retry.${step}`))
  expect(formerRetryQueues(topologyNames({ ...spec, delaysMs: Array(8).fill(1) }))).toEqual([])
})

it('everything that a binding names is declared', () => {
  const exchanges = new Set(topology.exchanges.map(({ name }) => name))
  const queues = new Set(topology.queues.map(({ name }) => name))
  for (const binding of topology.bindings)
    expect(exchanges.has(binding.exchange) && queues.has(binding.queue)).toBe(true)
})

describe('a retry', () => {
  const { retryQueues } = topologyNames(spec)
  const decide = (attempt: number, random: number) => decideRetry(retryQueues, DEFAULTS.retry, attempt, random)
  it.each([
    ['the first waits 1 to 2 s', 0, 0, { kind: 'retry', queue: 'xray.raw.v1.retry', expirationMs: 1000, attempt: 1 }],
    ['and at most 2 s', 0, 0.9999999, { kind: 'retry', queue: 'xray.raw.v1.retry', expirationMs: 2000, attempt: 1 }],
    ['the third waits from 4 s', 2, 0, { kind: 'retry', queue: 'xray.raw.v1.retry.3', expirationMs: 4000, attempt: 3 }],
    ['there is no fourth', 3, 0, { kind: 'exhausted', attempts: 4 }],
  ])('%s', (_, attempt, random, expected) => expect(decide(attempt, random)).toEqual(expected))

  it('waits as long as the last step beyond the ladder', () =>
    expect(decideRetry(retryQueues, { ...DEFAULTS.retry, maxRetries: 9 }, 8, 0)).toMatchObject({
      queue: 'xray.raw.v1.retry.4',
      expirationMs: 8000,
    }))

  it('never outlives the time-to-live of its queue', () =>
    fc.assert(
      fc.property(fc.nat(3), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (attempt, random) => {
        const decision = decide(attempt, random)
        if (decision.kind === 'exhausted') return attempt >= 3
        const queue = topology.queues.find(({ name }) => name === decision.queue)
        return decision.expirationMs <= Number(queue?.limits['message-ttl'])
      }),
    ))
})

it.each([
  ['4Gi', 4294967296],
  ['512Mi', 536870912],
  ['1000', 1000],
])('%s is %d bytes', (quantity, bytes) => expect(bytesOf(quantity)).toBe(bytes))
it('a quantity of another form is refused', () =>
  expect(() => bytesOf('4GB')).toThrow('expected bytes such as 4Gi, got "4GB"'))
