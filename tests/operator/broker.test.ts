import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Edit } from '../faults/sabotage.ts'
import { must } from '../stand/condition.ts'
import { type ControlPlane, openControlPlane } from './control-plane.ts'
import { CONTROLS } from './controls.ts'
import { type BrokerFault, openManagementProxy } from './management.ts'
import { type Stage, withStage } from './stage.ts'

let plane: ControlPlane
beforeAll(async () => {
  plane = await openControlPlane()
})
afterAll(() => plane?.close())

const answer = (status: number, body: string): BrokerFault => ({ kind: 'answer', status, body })

/** What a management API does that the operator cannot work with. */
const FAULTS: [name: string, fault: BrokerFault][] = [
  ['refuses the password', answer(401, '{"error":"not_authorised"}')],
  ['knows no such virtual host', answer(404, '{"error":"Object Not Found"}')],
  ['is overloaded', answer(503, '')],
  ['answers with a page of a proxy', answer(200, '<html>please log in</html>')],
  ['answers with another shape', answer(200, '{"items":"none","page_count":"many"}')],
  ['answers with null', answer(200, 'null')],
  ['cuts the connection', { kind: 'reset' }],
  ['breaks off in the midst of an answer', { kind: 'half' }],
  ['does not answer', { kind: 'hang' }],
]

const removed = ({ effects }: { effects: string[] }) => effects.filter((effect) => effect.startsWith('removed'))

/** Other settings each time, so that there is something to do. */
const changed = async (stage: Stage, count: number): Promise<void> =>
  stage.change({ signals: { prefetch: 500 + count } })

describe('when the broker', { timeout: 600_000 }, () => {
  it(`${FAULTS.map(([name]) => name).join(', or ')}, the status says so and nothing is lost`, async () =>
    withStage(plane, 'broker', async (stage) => {
      const operator = await stage.start()
      await stage.create()
      await stage.settled()
      const before = await stage.endState()
      const violations: string[] = []
      for (const [index, [name, fault]] of FAULTS.entries()) {
        const told = async (what: Promise<unknown>): Promise<void> =>
          what.then(
            () => undefined,
            (error: Error) => void violations.push(`${name}: ${error.message}`),
          )
        stage.broker.disturb(fault)
        await changed(stage, index)
        await told(stage.condition('BrokerReachable', 'False'))
        stage.broker.disturb(undefined)
        await told(stage.settled())
        if (!operator.running()) violations.push(`${name}: the operator ended`)
      }
      const end = await stage.endState()
      expect(violations.join('\n')).toBe('')
      expect(end.broker).toEqual(before.broker)
      // Only the settings that each change replaced.
      expect(removed(end).filter((effect) => !effect.startsWith('removed configmaps'))).toEqual([])
    }))

  it('is slow, everything is done all the same', async () =>
    withStage(plane, 'slow', async (stage) => {
      stage.broker.disturb({ kind: 'slow', ms: 300 })
      await stage.start()
      await stage.create()
      await stage.settled()
      expect((await stage.endState()).broker.some((row) => row.includes('"xray.raw.q"'))).toBe(true)
    }))

  it('has lost everything, it is declared again', async () =>
    withStage(plane, 'emptied', async (stage) => {
      await stage.start()
      await stage.create()
      await stage.settled()
      const before = (await stage.endState()).broker
      await stage.emptyBroker()
      await must('the topology to be declared again', 60_000, async () =>
        (await stage.endState()).broker.join('\n') === before.join('\n') ? true : undefined,
      )
      await stage.settled()
    }))
})

/** One at a time, so that a single reconcile that waits is one too many. */
const ONE_WORKER: Edit = { file: 'operator/metrics.ts', from: 'WORKERS = 32', to: 'WORKERS = 1' }
const DEAD = ['dead-0', 'dead-1', 'dead-2']
/** Half of what one request to a broker that hangs takes until it is given up. */
const SOON_MS = 4_000

/** Which of a pipeline's changes are not taken up soon while the broker of three others hangs. */
const lateBeside = async (name: string, edits: readonly Edit[]): Promise<string[]> =>
  withStage(plane, name, async (stage) => {
    const dead = await openManagementProxy('127.0.0.1')
    dead.disturb({ kind: 'hang' })
    try {
      await stage.start({ edits: [ONE_WORKER, ...edits] })
      await stage.create({ producer: { replicas: 0 }, api: { replicas: 0 } })
      await stage.settled()
      const base = `/api/v1/namespaces/${name}/secrets`
      const stringData = { uri: 'amqp://x', host: 'x', username: 'x', password: 'x', 'management-uri': dead.uri }
      await plane.api.call('POST', base, { metadata: { name: 'dead-rabbitmq' }, stringData })
      const pipelines = `/apis/xrayiot.dev/v1alpha1/namespaces/${name}/xraypipelines`
      for (const pipeline of DEAD)
        await plane.api.call('POST', pipelines, {
          apiVersion: 'xrayiot.dev/v1alpha1',
          kind: 'XRayPipeline',
          metadata: { name: pipeline },
          spec: {
            broker: { secretRef: { name: 'dead-rabbitmq' }, queue: `${pipeline}.q` },
            signals: { scaling: { pollingInterval: 1 } },
          },
        })
      const unreachable = async () => {
        const found = await plane.api.list(pipelines)
        const conditions = found.flatMap(({ status }) => (status as { reason?: string }).reason ?? '')
        return conditions.filter((reason) => reason === 'BrokerUnreachable').length === DEAD.length ? true : undefined
      }
      await must('each to say that its broker does not answer', 90_000, unreachable)
      const late: string[] = []
      for (const count of [1, 2, 3]) {
        await changed(stage, count)
        const { generation } = (await plane.api.call('GET', `${pipelines}/${name}`)).metadata
        const taken = async () => ((await stage.status()).observedGeneration === generation ? true : undefined)
        await must(`change ${count} to be taken up`, SOON_MS, taken).catch(({ message }) => late.push(message))
        await must(`change ${count} to be taken up at last`, 60_000, taken)
      }
      return late
    } finally {
      await dead.close()
    }
  })

describe('a broker that hangs', { timeout: 300_000 }, () => {
  it('keeps no other pipeline waiting, even where one is reconciled at a time', async () =>
    expect(await lateBeside('beside', [])).toEqual([]))

  it('control: an operator that waits for it each time is caught', async () =>
    expect(await lateBeside('held', CONTROLS['dead-brokers-are-waited-for'].edits)).not.toEqual([]))
})
