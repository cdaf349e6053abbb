import { afterAll, beforeAll, expect, it } from 'vitest'
import type { KubeObject } from '#kit/client.ts'
import { must } from '../stand/condition.ts'
import { type ControlPlane, openControlPlane } from './control-plane.ts'
import { IMPATIENT } from './impatience.ts'
import { type Installation, install } from './installation.ts'
import type { Operator } from './operator-process.ts'
import { openSite } from './site.ts'

let plane: ControlPlane
let installation: Installation
let operator: Operator
beforeAll(async () => {
  plane = await openControlPlane()
  installation = await install(plane, [])
  operator = await installation.start({ PIPELINE_IMAGE: 'xrayiot:good' }, IMPATIENT)
})
afterAll(async () => {
  await operator?.stop()
  await plane?.close()
})

const SERVICES = '/api/v1/namespaces/names/services'
const serviceOf = (name: string) => plane.api.call<KubeObject>('GET', `${SERVICES}/${name}`)

it("another's object is left as it is until it is gone, and stays when the pipeline goes", async () => {
  const site = await openSite(plane.api, 'names', () => 'serves')
  try {
    const spec = { ports: [{ name: 'theirs', port: 9 }] }
    for (const name of ['names-api', 'names-producer'])
      await plane.api.call('POST', SERVICES, { apiVersion: 'v1', kind: 'Service', metadata: { name }, spec })
    const before = await serviceOf('names-api')
    await site.create()
    expect(await site.condition('Ready', 'False', 'NameTaken')).toContain("Service names-producer is another's: ")
    await site.condition('Stalled', 'False')
    expect(await serviceOf('names-api')).toEqual(before)

    await plane.api.call('DELETE', `${SERVICES}/names-producer`)
    await must('the Service of the freed name', 30_000, async () => {
      const { status, body } = await plane.api.ask('GET', `${SERVICES}/names-producer`)
      return (status === 200 && body.metadata.ownerReferences?.length === 1) || undefined
    })
    await site.remove()
    expect(await serviceOf('names-api')).toEqual(before)
  } finally {
    await site.close()
  }
})

it('what has a name is read once, when a child is made', async () => {
  const site = await openSite(plane.api, 'names-once', () => 'serves')
  try {
    const mark = plane.audit.mark()
    await site.create({ producer: { replicas: 2 } })
    await site.condition('Ready', 'True')
    const reads = plane.audit
      .since(mark)
      .filter(({ user, verb, name }) => user === installation.user && verb === 'get' && name.startsWith('names-once-'))
      .map(({ resource, name }) => `${resource}/${name}`)
      .filter((read) => !read.startsWith('secrets/'))
    expect(reads).toContain('services/names-once-api')
    expect(reads.length).toBe(new Set(reads).size)
  } finally {
    await site.close()
  }
})
