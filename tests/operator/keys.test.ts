import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { must } from '../stand/condition.ts'
import { type ControlPlane, openControlPlane } from './control-plane.ts'
import { install } from './installation.ts'
import type { Operator } from './operator-process.ts'
import { openSite, type Site } from './site.ts'

let plane: ControlPlane
let operator: Operator
const open: Site[] = []
beforeAll(async () => {
  plane = await openControlPlane()
  operator = await (await install(plane, [])).start({ PIPELINE_IMAGE: 'xrayiot:good' })
})
afterAll(async () => {
  await operator?.stop()
  for (const site of open) await site.close()
  await plane?.close()
})

const siteOf = async (name: string): Promise<Site> => {
  const site = await openSite(plane.api, name, () => 'serves')
  open.push(site)
  return site
}
const keysOf = ({ namespace }: Site, name = `${namespace}-keys`) =>
  plane.api.ask('GET', `/api/v1/namespaces/${namespace}/secrets/${name}`)
/** What the garbage collector would do, it has done by then: it takes a pipeline's Deployments, too. */
const collected = (site: Site) =>
  must('the Deployments to be collected', 60_000, async () =>
    (await site.objects('deployments')).length === 0 ? true : undefined,
  )

describe('the keys of a pipeline that is deleted', () => {
  it.each([
    ['stay by its policy', 'keys-stay', ['Retain'], 200],
    ['go by its policy', 'keys-go', ['Delete'], 404],
    ['stay when the policy became that late', 'keys-stay-late', ['Delete', 'Retain'], 200],
    ['go when the policy became that late', 'keys-go-late', ['Retain', 'Delete'], 404],
  ])('%s', async (_, name, policies, status) => {
    const site = await siteOf(name)
    const [first, ...later] = policies
    await site.create({ deletionPolicy: first })
    await site.condition('Ready', 'True')
    for (const deletionPolicy of later) await site.change({ deletionPolicy })
    await site.remove()
    await collected(site)
    expect((await keysOf(site)).status).toBe(status)
  })

  it('stay when somebody else made them', async () => {
    const site = await siteOf('keys-foreign')
    const stringData = { 'device-master-k1': 'ab'.repeat(32), 'message-p1': 'cd'.repeat(32) }
    await plane.api.call('POST', `/api/v1/namespaces/${site.namespace}/secrets`, {
      metadata: { name: 'mine' },
      stringData,
    })
    await site.create({ keys: { secretRef: { name: 'mine' } } })
    await site.condition('Ready', 'True')
    await site.remove()
    await collected(site)
    expect((await keysOf(site, 'mine')).status).toBe(200)
  })
})
