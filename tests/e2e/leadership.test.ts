import { afterAll, beforeAll, expect, it } from 'vitest'
import { eventually, kubectl, read } from './cluster.ts'

const scaled = async (replicas: number): Promise<void> => {
  await kubectl(['scale', 'deployment/xray-operator', '-n', 'xray-system', `--replicas=${replicas}`])
  await kubectl(['rollout', 'status', 'deployment/xray-operator', '-n', 'xray-system', '--timeout=300s'])
}

const OPERATORS = ['pods', '-n', 'xray-system', '-l', 'app.kubernetes.io/name=xray-operator']

/** The pods that say that they lead. A Lease may still name a pod that is gone, so the pods themselves are asked. */
const leaders = async (): Promise<string[]> => {
  const names: string[] = (await read(...OPERATORS)).items.map(
    (pod: { metadata: { name: string } }) => pod.metadata.name,
  )
  const leading = await Promise.all(
    names.map(async (name) => {
      const path = `/api/v1/namespaces/xray-system/pods/${name}:9464/proxy/metrics`
      return /leader_election_master_status\{[^}]*\} 1/.test(await kubectl(['get', '--raw', path]))
    }),
  )
  return names.filter((_, index) => leading[index])
}

/** Waits until a pod leads that is not `former`; two at once are a failure. */
const leader = async (former?: string): Promise<string> => {
  const seen = await eventually(`a leader${former === undefined ? '' : ` other than ${former}`}`, 60, async () => {
    const names = await leaders()
    return names.length > 1 || (names.length === 1 && names[0] !== former) ? names : undefined
  })
  expect(seen).toHaveLength(1)
  return seen[0] as string
}

const uidOfApi = async (): Promise<string> => (await read('deployment', 'leipzig-api', '-n', 'xray')).metadata.uid

beforeAll(() => scaled(2))
afterAll(() => scaled(1))

it('of two operators one leads, and when it is killed the other takes over and goes on', async () => {
  await eventually('two operators to run', 150, async () =>
    (await read(...OPERATORS)).items.length === 2 ? true : undefined,
  )
  const first = await leader()
  await kubectl(['delete', 'pod', first, '-n', 'xray-system', '--grace-period=0', '--force'])
  await leader(first)
  const before = await uidOfApi()
  await kubectl(['delete', 'deployment', 'leipzig-api', '-n', 'xray'])
  await eventually('the new leader to put a Deployment back', 150, async () =>
    (await uidOfApi()) !== before ? true : undefined,
  )
  await kubectl(['rollout', 'status', 'deployment/leipzig-api', '-n', 'xray', '--timeout=300s'])
})
