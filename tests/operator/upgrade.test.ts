import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Edit, toNodeOptions } from '../faults/sabotage.ts'
import { must } from '../stand/condition.ts'
import { type ControlPlane, openControlPlane } from './control-plane.ts'
import { CONTROLS } from './controls.ts'
import { type Installation, install } from './installation.ts'
import { openSite, type Site } from './site.ts'

let plane: ControlPlane
let site: Site
let installation: Installation
beforeAll(async () => {
  plane = await openControlPlane()
  site = await openSite(plane.api, 'upgrade', () => 'serves')
  installation = await install(plane, ['watchNamespaces={upgrade}'])
})
afterAll(async () => {
  await site?.close()
  await plane?.close()
})

/** A build of another version: its pods have another probe, a setting more and another image. */
const NEWER: Edit[] = [
  { file: 'operator/decide/deployment.ts', from: 'progressDeadlineSeconds: 120', to: 'progressDeadlineSeconds: 121' },
  {
    file: 'operator/decide/deployment.ts',
    from: 'terminationGracePeriodSeconds: GRACE_SECONDS',
    to: 'terminationGracePeriodSeconds: 61',
  },
  { file: 'operator/decide/environment.ts', from: "  LOG_LEVEL: 'info',", to: "  LOG_LEVEL: 'info',\n  NEWER: '1'," },
]
const OLD_ENV = { PIPELINE_IMAGE: 'xrayiot:old' }
const NEW_ENV = { PIPELINE_IMAGE: 'xrayiot:new', PIPELINE_IMAGE_PULL_POLICY: 'Always' }

const pods = async () =>
  (await site.objects('pods'))
    .map(({ metadata, spec }) => `${metadata.uid} ${(spec as { containers: [{ image: string }] }).containers[0].image}`)
    .sort()
const deadlines = async () =>
  (await site.objects('deployments')).map(
    ({ spec }) => (spec as { progressDeadlineSeconds: number }).progressDeadlineSeconds,
  )

it('an upgrade of the operator restarts no pod of a pipeline whose spec is the same; a change of it takes the new build', async () => {
  const old = await installation.start(OLD_ENV)
  await site.create()
  await site.condition('Ready', 'True')
  const before = await pods()
  expect(before).toEqual([expect.stringMatching(/xrayiot:old$/), expect.stringMatching(/xrayiot:old$/)])
  await old.stop()

  const newer = await installation.start(NEW_ENV, toNodeOptions(NEWER, 1))
  try {
    expect(await site.condition('UpToDate', 'False', 'FormerRelease')).toContain('with the image xrayiot:new')
    // The newer build has been at work: what concerns no pod is as it makes it.
    await must('the Deployments to be those of the newer build', 90_000, async () =>
      (await deadlines()).every((seconds) => seconds === 121) ? true : undefined,
    )
    await site.condition('Ready', 'True')
    expect(await pods()).toEqual(before)
    expect(await site.objects('replicasets')).toHaveLength(3)

    await site.change({ producer: { replicas: 2 } })
    await must('a second producer', 90_000, async () => ((await pods()).length === 3 ? true : undefined))
    expect((await pods()).filter((pod) => pod.endsWith('xrayiot:old'))).toHaveLength(3)

    await site.change({ producer: { rateLimit: { perDevicePerMinute: 7 } } })
    await site.condition('UpToDate', 'True')
    await site.condition('Ready', 'True')
    expect((await pods()).filter((pod) => pod.endsWith('xrayiot:new'))).toHaveLength(3)
    await site.remove()
  } finally {
    await newer.stop()
  }
})

it('control: an operator that rolls out what each build makes is caught', async () => {
  const old = await installation.start(OLD_ENV)
  await site.create()
  await site.condition('Ready', 'True')
  const before = await pods()
  await old.stop()

  const edits = [...NEWER, ...CONTROLS['rolls-out-each-build'].edits]
  const newer = await installation.start(NEW_ENV, toNodeOptions(edits, 1))
  try {
    await must('the pods to be restarted', 90_000, async () =>
      (await pods()).some((pod) => before.includes(pod)) ? undefined : true,
    )
    await site.remove()
  } finally {
    await newer.stop()
  }
})
