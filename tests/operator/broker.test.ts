import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { must } from '../stand/condition.ts'
import { type ControlPlane, openControlPlane } from './control-plane.ts'
import type { BrokerFault } from './management.ts'
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
      expect(violations).toEqual([])
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
