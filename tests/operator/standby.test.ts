import { afterAll, beforeAll, expect, it } from 'vitest'
import { type ControlPlane, openControlPlane } from './control-plane.ts'
import { type Installation, install } from './installation.ts'
import type { Operator } from './operator-process.ts'
import { openSite, type Site } from './site.ts'

let plane: ControlPlane
let site: Site
let installation: Installation
const running = new Set<Operator>()
beforeAll(async () => {
  plane = await openControlPlane()
  site = await openSite(plane.api, 'standby', () => 'serves')
  installation = await install(plane, ['watchNamespaces={standby}'])
  await site.create()
})
afterAll(async () => {
  for (const operator of running) await operator.kill()
  await site?.close()
  await plane?.close()
})

const start = async (name: string): Promise<Operator> => {
  const operator = await installation.join({ POD_NAME: name, PIPELINE_IMAGE: 'xrayiot:good' })
  running.add(operator)
  return operator
}
it.each([
  ['is told to end', 'stop', 10_000, 7],
  // Its lease runs for 15 s.
  ['is killed', 'kill', 30_000, 8],
] as const)(
  'when the leader %s, the other goes on at once with what it knows',
  async (_, ending, limitMs, perDevicePerMinute) => {
    const first = await start('first')
    await first.leads()
    const second = await start('second')
    await site.condition('Ready', 'True')
    expect(await second.isLeader()).toBe(false)

    const mark = plane.audit.mark()
    const endedAt = performance.now()
    await first[ending]()
    running.delete(first)
    await second.leads()
    await site.change({ producer: { rateLimit: { perDevicePerMinute } } })
    await site.condition('Ready', 'True')
    expect(performance.now() - endedAt).toBeLessThan(limitMs)
    // Its caches were warm: it asked for no list of anything.
    const lists = plane.audit.since(mark).filter(({ user, verb }) => user === installation.user && verb === 'list')
    expect(lists).toEqual([])
    await second.stop()
    running.delete(second)
  },
)
