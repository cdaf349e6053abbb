import { afterAll, beforeAll, expect, it } from 'vitest'
import { eventually, kubectl, read } from './cluster.ts'

const scaled = async (replicas: number): Promise<void> => {
  await kubectl(['scale', 'deployment/xray-operator', '-n', 'xray-system', `--replicas=${replicas}`])
  await kubectl(['rollout', 'status', 'deployment/xray-operator', '-n', 'xray-system', '--timeout=120s'])
}

const holder = async (): Promise<string> =>
  (await read('lease', 'xray-operator', '-n', 'xray-system')).spec.holderIdentity
const uidOfApi = async (): Promise<string> => (await read('deployment', 'leipzig-api', '-n', 'xray')).metadata.uid

beforeAll(() => scaled(2))
afterAll(() => scaled(1))

it('of two operators one leads, and when it is killed the other takes over and goes on', async () => {
  const first = await eventually('one to lead', 60, async () => (await holder()) || undefined)
  const pods = (await read('pods', '-n', 'xray-system', '-l', 'app.kubernetes.io/name=xray-operator')).items
  const leading = await Promise.all(
    pods.map(async ({ metadata }: { metadata: { name: string } }) => {
      const metrics = await kubectl([
        'get',
        '--raw',
        `/api/v1/namespaces/xray-system/pods/${metadata.name}:9464/proxy/metrics`,
      ])
      return Number(/leader_election_master_status\{[^}]*\} ([01])/.exec(metrics)?.[1])
    }),
  )
  expect(leading.sort()).toEqual([0, 1])
  await kubectl(['delete', 'pod', first, '-n', 'xray-system', '--grace-period=0', '--force'])
  await eventually('another to lead', 60, async () => {
    const now = await holder()
    return now !== '' && now !== first ? now : undefined
  })
  const before = await uidOfApi()
  await kubectl(['delete', 'deployment', 'leipzig-api', '-n', 'xray'])
  await eventually('the new leader to put a Deployment back', 60, async () =>
    (await uidOfApi()) !== before ? true : undefined,
  )
  await kubectl(['rollout', 'status', 'deployment/leipzig-api', '-n', 'xray', '--timeout=60s'])
})
