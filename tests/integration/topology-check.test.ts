import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { DEFAULTS, topologySpecOf } from '#contract/pipeline.ts'
import { topologyNames, toTopology } from '#contract/topology.ts'
import { assertTopology } from '#runtime/topology-check.ts'
import { declareOn } from '../stand/topology.ts'
import { openStand, type Stand, serving, soon } from './link-stand.ts'

const spec = topologySpecOf(DEFAULTS)
const names = topologyNames(spec)

let stand: Stand
beforeAll(async () => {
  stand = await openStand('topology-check')
})
afterAll(() => stand.close())
afterEach(() => stand.endLinks())

const open = () => stand.openLink({ setUp: (channel) => assertTopology(channel, names) })

it.each([
  ['exchange', names.exchange],
  ['exchange', names.deadLetterExchange],
  ['queue', names.queue],
  ['queue', names.retryQueues.at(-1) as string],
  ['queue', names.deadLetterQueue],
] as const)('a link waits for %s %s, says that it is missing, and serves once it is declared', async (kind, name) => {
  await declareOn(stand.direct, toTopology(spec))
  if (kind === 'exchange') await stand.direct.deleteExchange(name)
  else await stand.direct.deleteQueue(name)
  const link = open()
  await soon('the problem', 30_000, () => link.problem() === `${kind} ${name} is missing; the operator declares it`)
  expect(link.channel()).toBeUndefined()
  await declareOn(stand.direct, toTopology(spec))
  await serving(link)
  expect(link.problem()).toBeUndefined()
})
