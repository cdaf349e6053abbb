import { afterAll, beforeAll, expect, it } from 'vitest'
import { must } from '../stand/condition.ts'
import { told } from './asked.ts'
import { type ControlPlane, openControlPlane } from './control-plane.ts'
import { openFaultProxy } from './proxy.ts'
import { withStage } from './stage.ts'

let plane: ControlPlane
beforeAll(async () => {
  plane = await openControlPlane()
})
afterAll(() => plane?.close())

it.each([
  ['between two reconciles', false],
  ['in the midst of a reconcile, when a write of its has just been done', true],
])(
  'a leader that is frozen %s until another leads writes nothing more, and ends',
  { timeout: 300_000 },
  async (_, midst) =>
    withStage(plane, midst ? 'frozen-at-work' : 'frozen', async (stage) => {
      const other = await openFaultProxy(plane.server, plane.folder)
      try {
        const first = await stage.start()
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
          await must('the leader to be frozen', 20_000, async () => (befell() === 1 ? true : undefined))
        } else process.kill(first.pid, 'SIGSTOP')
        await second.leads()
        await stage.change({ signals: { prefetch: 501 } })
        await stage.condition('Ready', 'True')
        const before = stage.proxy.writes().length
        process.kill(first.pid, 'SIGCONT')
        thaw()
        await must('the first leader to end', 30_000, async () => (first.running() ? undefined : true))
        expect(stage.proxy.writes().slice(before).map(told)).toEqual([])
        expect(second.running()).toBe(true)
      } finally {
        await other.close()
      }
    }),
)
