import { afterAll, beforeAll, expect, it } from 'vitest'
import { must } from '../stand/condition.ts'
import { type ControlPlane, openControlPlane } from './control-plane.ts'

let plane: ControlPlane
beforeAll(async () => {
  plane = await openControlPlane()
})
afterAll(() => plane?.close())

const PODS = '/api/v1/namespaces/default/pods'
const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps'
const configMap = (name: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } })

it('the pods of a Deployment are made, and go with it', async () => {
  const labels = { app: 'x' }
  const path = '/apis/apps/v1/namespaces/default/deployments'
  await plane.api.call('POST', path, {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'x' },
    spec: {
      replicas: 2,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'x', image: 'x' }] } },
    },
  })
  const count = (wanted: number) => async () => ((await plane.api.list(PODS)).length === wanted ? true : undefined)
  await must('two pods', 60_000, count(2))
  await plane.api.call('DELETE', `${path}/x?propagationPolicy=Background`)
  await must('no pod', 60_000, count(0))
})

it('the audit log tells who asked for what, with which answer', async () => {
  const mark = plane.audit.mark()
  await plane.api.call('POST', CONFIG_MAPS, configMap('told'))
  const entry = await must('the audit log to tell it', 30_000, async () =>
    plane.audit.since(mark).find(({ name }) => name === 'told'),
  )
  expect(entry).toMatchObject({
    verb: 'create',
    user: 'admin',
    userAgent: 'xray-test',
    resource: 'configmaps',
    namespace: 'default',
    code: 201,
  })
})

it('it goes on after a restart, and tells 410 to who asks for a version from before a compaction', async () => {
  const { metadata } = await plane.api.call('POST', CONFIG_MAPS, configMap('kept'))
  await plane.api.call('DELETE', `${CONFIG_MAPS}/kept`)
  await plane.compact()
  await plane.restartApiServer()
  const watch = `${CONFIG_MAPS}?watch=true&timeoutSeconds=1&resourceVersion=${metadata.resourceVersion}`
  expect((await plane.api.ask('GET', watch)).body).toMatchObject({ type: 'ERROR', object: { code: 410 } })
})
