import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Edit } from '../faults/sabotage.ts'
import { must } from '../stand/condition.ts'
import { told } from './asked.ts'
import { type ControlPlane, openControlPlane } from './control-plane.ts'
import { CONTROLS } from './controls.ts'
import { openFaultProxy } from './proxy.ts'
import { withStage } from './stage.ts'

let plane: ControlPlane
beforeAll(async () => {
  plane = await openControlPlane()
})
afterAll(() => plane?.close())

/** What the first leader still wrote, and whether it and the other run. */
type Frozen = { writes: string[]; running: [boolean, boolean] }

/**
 * Freezes a leader until another leads and has reconciled, and lets it go on.
 * @param midst in the midst of a reconcile, when a write of its has just been done, or else between two
 */
const freeze = (name: string, midst: boolean, edits: readonly Edit[]): Promise<Frozen> =>
  withStage(plane, name, async (stage) => {
    const other = await openFaultProxy(plane.server, plane.folder)
    try {
      const first = await stage.start({ edits })
      await stage.create()
      await stage.settled()
      const second = await stage.start({ through: other.server, env: { POD_NAME: 'xray-operator-1' } })
      let thaw = (): void => undefined
      if (midst) {
        const befell = stage.proxy.inject({
          when: 'applied',
          matches: ({ kind, resource }) => kind === 'write' && resource === 'configmaps',
          times: 1,
          act: async ({ pass }) => {
            process.kill(first.pid, 'SIGSTOP')
            await new Promise<void>((resolve) => {
              thaw = resolve
            })
            pass()
          },
        })
        await stage.change({ signals: { prefetch: 500 } })
        await must('the leader to be frozen', 60_000, async () => (befell() === 1 ? true : undefined))
      } else process.kill(first.pid, 'SIGSTOP')
      await second.leads()
      await stage.change({ signals: { prefetch: 501 } })
      await stage.condition('Ready', 'True')
      const before = stage.proxy.writes().length
      process.kill(first.pid, 'SIGCONT')
      thaw()
      const late = () => stage.proxy.writes().slice(before).map(told)
      await must('the first leader to end, or to write', 90_000, async () =>
        first.running() && late().length === 0 ? undefined : true,
      )
      return { writes: late(), running: [first.running(), second.running()] }
    } finally {
      await other.close()
    }
  })

describe('a leader that is frozen until another leads', { timeout: 300_000 }, () => {
  it.each([
    ['between two reconciles', 'frozen', false],
    ['in the midst of a reconcile', 'frozen-at-work', true],
  ])('%s writes nothing more, and ends', async (_, name, midst) => {
    expect(await freeze(name, midst, [])).toEqual({ writes: [], running: [false, true] })
  })

  it('control: one that does not care for its lease is caught', async () => {
    const { writes } = await freeze('frozen-control', true, CONTROLS['writes-without-lease'].edits)
    expect(writes).not.toEqual([])
  })
})
