import { expect, it } from 'vitest'
import { DEFAULTS } from '#contract/pipeline.ts'
import { createSharedReading } from './cluster/shared-reading.ts'
import type { Pipeline } from './decide/pipeline.ts'
import { awoken, createMemories, type ObserveContext, observeBroker } from './observe.ts'

const pipeline = {
  apiVersion: 'xrayiot.dev/v1alpha1',
  kind: 'XRayPipeline',
  metadata: { name: 'leipzig', namespace: 'xray', uid: 'u1', generation: 1 },
  spec: DEFAULTS,
} as Pipeline
const look = (name: string, ready: number, unacked = 0) => ({ name, atMs: 1, ready, unacked, published: 0, acked: 0 })

const access = { managementUri: '', username: '', password: '', vhost: '/' }

/** A broker with these queues, and an API that gives the next answer each time it is asked. */
const world = (queues: ReturnType<typeof look>[], answers: (number | undefined | Promise<number>)[]) => {
  let nowMs = 100_000
  let asked = 0
  const context: ObserveContext = {
    secrets: {
      broker: async () => access,
      fields: async () => ({}),
      ensureKeys: async () => undefined,
      removeKeys: async () => undefined,
      versions: async () => ({ connections: '', keys: undefined }),
      forget: () => undefined,
    },
    sleepers: { wakingOf: () => undefined },
    broker: async () => ({ ...access, request: () => Promise.reject(new Error('not asked for here')) }),
    depths: { look: async () => new Map(queues.map((queue) => [queue.name, queue])) },
    topologies: async () => ({ problem: 'not asked for here' }),
    prometheus: { ask: async () => ({ metrics: {}, problems: [] }), close: async () => undefined },
    memories: createMemories(),
    askOpenLetters: async () => answers[asked++],
    now: () => nowMs,
  }
  return {
    asked: () => asked,
    context,
    pass: (ms: number) => {
      nowMs += ms
    },
    deadLetters: async (of = pipeline) => (await observeBroker(context, of, false)).depths.deadLetters,
  }
}

it('dead letters are those in their queues, and from the next look on those archived', async () => {
  const { deadLetters } = world([look('iot.dlx', 2, 1), look('iot.dlx.parked', 4)], [10])
  expect([await deadLetters(), await deadLetters()]).toEqual([7, 17])
})

it('an API that never answers holds nothing up', async () => {
  const { deadLetters, pass } = world([look('iot.dlx', 2)], [new Promise<never>(() => undefined)])
  expect(await deadLetters()).toBe(2)
  pass(20_000)
  expect(await deadLetters()).toBe(2)
})

it('the API is asked four times a minute at most, and what it said stays until then', async () => {
  const { deadLetters, asked, pass } = world([look('iot.dlx', 0)], [10, 11])
  const seen = []
  for (let second = 0; second < 18; second++) {
    seen.push(await deadLetters())
    pass(1_000)
  }
  expect(new Set(seen.slice(1, 17))).toEqual(new Set([10]))
  expect([seen.at(-1), asked()]).toEqual([11, 2])
})

it('only the queues are counted while the API does not say', async () => {
  const { deadLetters } = world([look('iot.dlx', 2)], [undefined])
  expect(await deadLetters()).toBe(2)
})

it('the number is unknown while the broker does not tell the queue', async () => {
  const { deadLetters } = world([], [10])
  expect(await deadLetters()).toBeUndefined()
})

it('an API without a ready pod is not asked, and what it said before still counts', async () => {
  const { deadLetters, asked, pass } = world([look('iot.dlx', 2)], [10, 11])
  const component = { desired: 1, ready: 0, image: '' }
  const down = { ...pipeline, status: { components: { producer: component, signals: component, api: component } } }
  await deadLetters()
  pass(20_000)
  expect([await deadLetters(down), asked()]).toEqual([12, 1])
})
it('pipelines that a start finds on one virtual host are declared upon one reading of it', async () => {
  let readings = 0
  const topologies = createSharedReading(
    async () => ({ problem: `reading ${++readings}` }),
    () => 0,
  )
  const { context } = world([], [])
  const all = Array.from({ length: 300 }, (_, index) => ({
    ...pipeline,
    metadata: { ...pipeline.metadata, uid: `u${index}`, name: `p${index}` },
  }))
  const seen = await Promise.all(all.map((one) => observeBroker({ ...context, topologies }, one, true)))
  expect(new Set(seen.map(({ topologyProblem }) => topologyProblem))).toEqual(new Set(['reading 1']))
})

it.each([
  ['that do not show it yet', { published: 100, ready: 0 }, { published: 107, ready: 7 }],
  ['that show a part of it', { published: 103, ready: 1 }, { published: 107, ready: 5 }],
  ['that show it', { published: 107, ready: 7 }, { published: 107, ready: 7 }],
  ['that show it, and that it is done', { published: 107, ready: 0 }, { published: 107, ready: 0 }],
  ['that show more', { published: 300, ready: 2 }, { published: 300, ready: 2 }],
])('what woke a pipeline counts with statistics %s', (_, statistics, expected) =>
  expect(awoken({ ...look('q', 0), ...statistics }, { atMs: 5, ready: 7 }, 100)).toMatchObject(expected),
)
