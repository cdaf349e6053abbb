import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { must } from '../stand/condition.ts'
import { WRITES } from './audit.ts'
import { type ControlPlane, openControlPlane } from './control-plane.ts'
import { IMPATIENT } from './impatience.ts'
import { type Installation, install } from './installation.ts'
import type { Fate } from './kubelet.ts'
import type { Operator } from './operator-process.ts'
import { openSite, type Site } from './site.ts'

const GOOD = 'xrayiot:good'
const FATES: Record<string, Fate> = {
  'xrayiot:missing': { waits: 'ImagePullBackOff', because: 'Back-off pulling image "xrayiot:missing": not found' },
  'xrayiot:crashes': { ends: 3 },
  'xrayiot:badenv': { waits: 'CreateContainerConfigError', because: 'secret "x" not found' },
}

let plane: ControlPlane
let site: Site
let installation: Installation
let operator: Operator
beforeAll(async () => {
  plane = await openControlPlane()
  site = await openSite(plane.api, 'rollout', (image) => FATES[image] ?? 'serves')
  installation = await install(plane, ['watchNamespaces={rollout}'])
  operator = await installation.start({ PIPELINE_IMAGE: GOOD }, IMPATIENT)
  await site.create()
  await site.condition('Ready', 'True')
})
afterAll(async () => {
  await operator?.stop()
  await site?.close()
  await plane?.close()
})

afterEach(async () => {
  await site.change({ image: '', producer: { replicas: 1 }, api: { podTemplate: null } })
  await site.condition('Ready', 'True')
})

const podsOf = async (image: string): Promise<string[]> =>
  (await site.objects('pods'))
    .filter(({ spec }) => (spec as { containers: [{ image: string }] }).containers[0].image === image)
    .map(({ metadata }) => metadata.uid ?? '')
    .sort()

describe('a roll-out that cannot succeed', () => {
  it.each([
    [
      'xrayiot:missing',
      'ImagePullBackOff',
      'the image "xrayiot:missing" cannot be pulled: the registry does not have it',
    ],
    ['xrayiot:crashes', 'CrashLoopBackOff', 'the process ends with code 3'],
    ['xrayiot:badenv', 'CreateContainerConfigError', 'secret "x" not found'],
  ])(
    'with %s says %s, leaves the former pods serving and is undone by putting the spec right',
    async (image, reason, sentence) => {
      const former = await podsOf(GOOD)
      expect(former).toHaveLength(2)
      await site.change({ image })
      expect(await site.condition('Degraded', 'True', reason)).toBe(`producer: ${sentence}; api: ${sentence}`)
      await site.condition('Ready', 'False', reason)
      await site.condition('Available', 'True')
      expect(await podsOf(GOOD)).toEqual(former)
      expect((await site.status()).components?.producer?.image).toBe(GOOD)

      const startedAt = performance.now()
      await site.change({ image: '' })
      await site.condition('Degraded', 'False')
      await site.condition('Ready', 'True')
      // Far below the two minutes that a Deployment waits for progress.
      expect(performance.now() - startedAt).toBeLessThan(30_000)
      await must('only the former pods to be left', 60_000, async () => {
        const left = await site.objects('pods')
        return left.length === 2 && (await podsOf(GOOD)).join() === former.join() ? true : undefined
      })
    },
  )

  it('is not written again while nothing changes', async () => {
    await site.change({ image: 'xrayiot:crashes' })
    await site.condition('Degraded', 'True')
    const looks = () => plane.audit.since(mark).filter(({ resource, verb }) => resource === 'pods' && verb === 'list')
    const mark = plane.audit.mark()
    await must('the pods of both components to be looked at once more', 40_000, async () =>
      looks().filter(({ user }) => user === installation.user).length >= 2 ? true : undefined,
    )
    // An event of the change itself may come late; the status and the children must not be touched.
    const written = plane.audit
      .since(mark)
      .filter(
        ({ user, verb, resource }) =>
          user === installation.user && WRITES.includes(verb) && !['leases', 'events'].includes(resource),
      )
    expect(written).toEqual([])
  })
})

it('a quota that refuses pods is named, and what it allows again comes up', async () => {
  const quotas = '/api/v1/namespaces/rollout/resourcequotas'
  await plane.api.call('POST', quotas, { metadata: { name: 'few' }, spec: { hard: { pods: '2' } } })
  await must('the quota to be counted', 60_000, async () =>
    ((await plane.api.call('GET', `${quotas}/few`)).status as { used?: object } | undefined)?.used ? true : undefined,
  )
  await site.change({ producer: { replicas: 2 } })
  expect(await site.condition('Degraded', 'True', 'QuotaExceeded')).toBe(
    'producer: its pods are refused: exceeded quota: few, requested: pods=1, limited: pods=2',
  )
  await plane.api.call('DELETE', `${quotas}/few`)
})

it('a child that the API server does not take is named, and the others are changed all the same', async () => {
  const bad = { nodeSelector: { 'not a label': 'x' } }
  await site.change({ api: { podTemplate: bad }, producer: { rateLimit: { perDevicePerMinute: 8 } } })
  expect(await site.condition('Ready', 'False', 'ChildInvalid')).toContain('Deployment rollout-api: ')
  await site.condition('Stalled', 'True', 'ChildInvalid')
  await must('the producer to have its new settings', 60_000, async () =>
    (await site.objects('configmaps')).some(
      ({ data }) => (data as Record<string, string>).RATE_LIMIT_PER_DEVICE_PER_MINUTE === '8',
    )
      ? true
      : undefined,
  )
})

it('a pipeline that has settled costs the API server nothing, and a restart of its operator writes nothing', async () => {
  await site.condition('Ready', 'True')
  const asked = (mark: number) =>
    plane.audit
      .since(mark)
      .filter(({ user, resource, verb }) => user === installation.user && resource !== 'leases' && verb !== 'watch')
  const reconciles = async () =>
    [...(await operator.metrics()).matchAll(/controller_runtime_reconcile_total\{([^}]*)\} (\d+)/g)]
      .filter(([, labels = '']) => !labels.includes('result="error"'))
      .reduce((sum, [, , count]) => sum + Number(count), 0)
  const settle = await reconciles()
  await must('the last changes to be seen', 60_000, async () => ((await reconciles()) >= settle + 3 ? true : undefined))
  const mark = plane.audit.mark()
  const from = await reconciles()
  await must('5 further reconciles', 60_000, async () => ((await reconciles()) >= from + 5 ? true : undefined))
  // Which kinds there are is asked for all pipelines together, here once a second and elsewhere twice a minute.
  expect(asked(mark).filter(({ resource }) => !['secrets', ''].includes(resource))).toEqual([])

  await operator.stop()
  const restart = plane.audit.mark()
  operator = await installation.start({ PIPELINE_IMAGE: GOOD }, IMPATIENT)
  await must('5 reconciles of the new process', 60_000, async () => ((await reconciles()) >= 5 ? true : undefined))
  const changing = asked(restart).filter(({ verb, code }) => WRITES.includes(verb) && code !== 409)
  expect(changing).toEqual([])
})
