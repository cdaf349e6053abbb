import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { must } from '../stand/condition.ts'
import { MERGE } from './api.ts'
import { WRITES } from './audit.ts'
import { type ControlPlane, openControlPlane } from './control-plane.ts'
import { IMPATIENT } from './impatience.ts'
import { type Installation, install } from './installation.ts'
import type { Operator } from './operator-process.ts'
import { openSite, type Site } from './site.ts'

let plane: ControlPlane
let installation: Installation
let operator: Operator
const open: Site[] = []
beforeAll(async () => {
  plane = await openControlPlane()
  installation = await install(plane, [])
  operator = await installation.start({ PIPELINE_IMAGE: 'xrayiot:good' }, IMPATIENT)
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

it('a new pipeline costs one write for its finalizer, one for each child and two at most for its status', async () => {
  const site = await siteOf('first')
  const mark = plane.audit.mark()
  // Without pods, each of which would be told when it is ready.
  await site.create({ producer: { replicas: 0 }, api: { replicas: 0 } })
  await site.condition('Ready', 'True')
  const writes = plane.audit
    .since(mark)
    .filter(({ user, verb, resource }) => user === installation.user && WRITES.includes(verb) && resource !== 'leases')
  const count = (resource: string, subresource = '') =>
    writes.filter((entry) => entry.resource === resource && entry.subresource === subresource).length
  expect(count('xraypipelines')).toBe(1)
  expect(writes.findIndex(({ resource }) => resource === 'xraypipelines')).toBe(0)
  const kinds = ['serviceaccounts', 'configmaps', 'services', 'networkpolicies', 'deployments']
  expect(kinds.map((kind) => [kind, count(kind)])).toEqual([
    ['serviceaccounts', 3],
    ['configmaps', 3],
    ['services', 2],
    ['networkpolicies', 3],
    ['deployments', 3],
  ])
  expect(count('xraypipelines', 'status')).toBeLessThanOrEqual(2)
})

describe('a pipeline that is deleted', () => {
  it('takes its queues with it when its policy says so', async () => {
    const site = await siteOf('takes')
    await site.create()
    await site.condition('Ready', 'True')
    expect(await site.queues()).toContain('xray.raw.q')
    await site.remove()
    expect(await site.queues()).toEqual([])
  })

  it('leaves its queues when its policy says so', async () => {
    const site = await siteOf('leaves')
    await site.create({ deletionPolicy: 'Retain' })
    await site.condition('Ready', 'True')
    await site.remove()
    expect(await site.queues()).toContain('xray.raw.q')
  })

  it('is let go when its broker is gone, with a warning and a count', async () => {
    const site = await siteOf('strands')
    const nobody = { stringData: { 'management-uri': 'http://127.0.0.1:1' } }
    await plane.api.call('PATCH', `/api/v1/namespaces/strands/secrets/xray-rabbitmq`, nobody, MERGE)
    await site.create()
    await site.condition('Ready', 'False', 'BrokerUnreachable')
    await site.remove()
    expect(await operator.metrics()).toMatch(/xray_finalizer_abandoned_total\{[^}]*\} 1/)
    await must('the warning', 30_000, async () =>
      (await site.objects('events')).find(({ reason }) => reason === 'TopologyLeft'),
    )
  })

  it('goes with its namespace', async () => {
    const site = await siteOf('ends')
    await site.create()
    await site.condition('Ready', 'True')
    const path = `/api/v1/namespaces/${site.namespace}`
    await plane.api.call('DELETE', path)
    await must('the namespace to be gone', 60_000, async () =>
      (await plane.api.ask('GET', path)).status === 404 ? true : undefined,
    )
    expect(await site.queues()).toEqual([])
  })
})
