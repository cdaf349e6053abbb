import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { address, eventually, read } from './cluster.ts'
import { apply, conditionHolds, manifest, remove } from './pipeline.ts'

const NAME = 'e2e-rollout'

beforeAll(async () => {
  await apply(manifest(NAME))
  await conditionHolds(NAME, 'Ready', 'True')
})
afterAll(() => remove(NAME))

/** The uids of the pods that serve; those of a roll-out that hangs are not among them. */
const serving = async (): Promise<string[]> => {
  const { items } = await read('pods', '-n', 'xray', '-l', `app.kubernetes.io/instance=${NAME}`)
  type Pod = { metadata: { uid: string }; status: { conditions?: { type: string; status: string }[] } }
  return (items as Pod[])
    .filter(({ status }) => status.conditions?.some(({ type, status: holds }) => type === 'Ready' && holds === 'True'))
    .map(({ metadata }) => metadata.uid)
    .sort()
}
const answers = async (): Promise<number> =>
  (await fetch(`http://${await address(`${NAME}-api`)}:8080/api/health`, { signal: AbortSignal.timeout(5_000) })).status

/** Waits until the reason is told with this sentence: the log of a first crash may be gone before it is read. */
const told = async (reason: string, sentence: RegExp): Promise<void> => {
  await eventually(`${reason} with ${sentence}`, 200, async () => {
    const { conditions } = await conditionHolds(NAME, 'Degraded', 'True', reason)
    const message = conditions.find(({ type }) => type === 'Degraded')?.message ?? ''
    if (!sentence.test(message)) throw new Error(message)
    return message
  })
}

describe('a roll-out that cannot succeed', () => {
  it.each([
    [
      'an image that is nowhere',
      { image: 'localhost/xrayiot:is-nowhere' },
      'ImagePullBackOff',
      /producer: the image "localhost\/xrayiot:is-nowhere" cannot be pulled/,
    ],
    [
      'a setting that the process refuses',
      { api: { replicas: 1, podTemplate: { env: [{ name: 'HTTP_PORT', value: 'ten' }] } } },
      'CrashLoopBackOff',
      /^api: the process ends with code 78; its log ends: .*HTTP_PORT/,
    ],
    [
      'a limit that the process exceeds',
      { api: { replicas: 1, resources: { requests: { memory: '40Mi' }, limits: { memory: '40Mi' } } } },
      'OOMKilled',
      /^api: the process needs more memory than its limit of 40Mi/,
    ],
    [
      'more than any node has',
      { api: { replicas: 1, resources: { requests: { cpu: '1000' } } } },
      'Unschedulable',
      /^api: no node takes the pod: .*Insufficient cpu/,
    ],
  ] as [string, Record<string, unknown>, string, RegExp][])(
    'because of %s says so, leaves the former pods serving and is undone by putting the spec right',
    async (_, spec, reason, sentence) => {
      const former = await serving()
      expect(former.length).toBeGreaterThanOrEqual(2)
      await apply(manifest(NAME, spec))
      await told(reason, sentence)
      await conditionHolds(NAME, 'Ready', 'False', reason)
      await conditionHolds(NAME, 'Available', 'True')
      expect(await answers()).toBe(200)
      expect(await serving()).toEqual(former)

      await apply(manifest(NAME))
      await conditionHolds(NAME, 'Ready', 'True')
      await conditionHolds(NAME, 'Degraded', 'False')
      await eventually('only the former pods to be left', 150, async () =>
        (await serving()).join() === former.join() ? true : undefined,
      )
    },
  )
})

it('the text of a failure does not change from look to look, so the status is not written again', async () => {
  await apply(manifest(NAME, { api: { replicas: 1, podTemplate: { env: [{ name: 'HTTP_PORT', value: 'ten' }] } } }))
  await told('CrashLoopBackOff', /its log ends/)
  const status = async () => JSON.stringify((await read('xraypipeline', NAME, '-n', 'xray')).status.conditions)
  const before = await status()
  const restarts = async (): Promise<number> => {
    const { items } = await read(
      'pods',
      '-n',
      'xray',
      '-l',
      `app.kubernetes.io/instance=${NAME},app.kubernetes.io/component=api`,
    )
    type Pod = { status: { containerStatuses?: { restartCount: number }[] } }
    return Math.max(...(items as Pod[]).map((pod) => pod.status.containerStatuses?.[0]?.restartCount ?? 0))
  }
  const from = await restarts()
  await eventually('two further crashes', 240, async () => ((await restarts()) >= from + 2 ? true : undefined))
  expect(await status()).toBe(before)
})
