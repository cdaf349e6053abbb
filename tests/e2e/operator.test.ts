import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually, kubectl, openBroker, read } from './cluster.ts'
import { apply, conditionHolds, manifest, remove, statusOf } from './pipeline.ts'

const NAME = 'e2e-operator'

beforeAll(async () => {
  await apply(manifest(NAME))
  await conditionHolds(NAME, 'Ready', 'True')
})
afterAll(async () => {
  for (const name of [NAME, `${NAME}-second`]) await remove(name)
})

const deployment = (component: string) => read('deployment', `${NAME}-${component}`, '-n', 'xray')

describe('a pipeline', () => {
  it('owns everything that it became', async () => {
    const { uid } = (await read('xraypipeline', NAME, '-n', 'xray')).metadata
    const { items } = await read(
      'deployments,services,configmaps,serviceaccounts,networkpolicies',
      '-n',
      'xray',
      '-l',
      `app.kubernetes.io/instance=${NAME}`,
    )
    expect(items.length).toBe(14)
    for (const item of items)
      expect(item.metadata.ownerReferences).toEqual([expect.objectContaining({ uid, controller: true })])
  })

  it('puts a deleted Deployment and an edited field back, and leaves a foreign label', async () => {
    const before = (await deployment('api')).metadata.uid
    await kubectl(['delete', 'deployment', `${NAME}-api`, '-n', 'xray'])
    await kubectl(['label', 'deployment', `${NAME}-producer`, '-n', 'xray', 'mine=yes'])
    await kubectl(['scale', 'deployment', `${NAME}-producer`, '-n', 'xray', '--replicas=3'])
    await eventually('the API to be back', 150, async () =>
      (await deployment('api')).metadata.uid !== before ? true : undefined,
    )
    await eventually('the producer to have one replica again', 150, async () =>
      (await deployment('producer')).spec.replicas === 1 ? true : undefined,
    )
    expect((await deployment('producer')).metadata.labels.mine).toBe('yes')
    await conditionHolds(NAME, 'Ready', 'True')
  })

  it('rolls a changed spec out and forgets the former settings', async () => {
    const settings = async () =>
      (
        await read(
          'configmaps',
          '-n',
          'xray',
          '-l',
          `app.kubernetes.io/instance=${NAME},app.kubernetes.io/component=producer`,
        )
      ).items
    const [before] = await settings()
    await apply(manifest(NAME, { producer: { replicas: 1, rateLimit: { perDevicePerMinute: 7 } } }))
    await conditionHolds(NAME, 'Ready', 'True')
    await eventually('only the new settings to be there', 150, async () => {
      const now = await settings()
      return now.length === 1 && now[0].metadata.name !== before.metadata.name ? true : undefined
    })
    expect((await settings())[0].data.RATE_LIMIT_PER_DEVICE_PER_MINUTE).toBe('7')
  })

  it('that is steady is not written again', async () => {
    await conditionHolds(NAME, 'Ready', 'True')
    const versions = async () => {
      const { items } = await read('xraypipelines,deployments,services,configmaps', '-n', 'xray')
      return items
        .filter((item: { metadata: { name: string } }) => item.metadata.name.startsWith(NAME))
        .map((item: { metadata: { resourceVersion: string } }) => item.metadata.resourceVersion)
    }
    const reconciles = async () => {
      const pod = (await read('pods', '-n', 'xray-system', '-l', 'app.kubernetes.io/name=xray-operator')).items[0]
        .metadata.name
      const metrics = await kubectl(['get', '--raw', `/api/v1/namespaces/xray-system/pods/${pod}:9464/proxy/metrics`])
      return Number(/controller_runtime_reconcile_total\{[^}]*requeue_after[^}]*\} ([0-9]+)/.exec(metrics)?.[1])
    }
    const [before, from] = [await versions(), await reconciles()]
    await eventually('20 further reconciles', 240, async () => ((await reconciles()) >= from + 20 ? true : undefined))
    expect(await versions()).toEqual(before)
  })

  it('on a queue that is taken says by whom and touches nothing', async () => {
    const second = JSON.parse(manifest(NAME))
    second.metadata.name = `${NAME}-second`
    await apply(JSON.stringify(second))
    const { conditions } = await conditionHolds(`${NAME}-second`, 'Ready', 'False', 'QueueTaken')
    expect(conditions[0]?.message).toContain(`the pipeline ${NAME} uses this queue`)
    expect((await read('deployments', '-n', 'xray', '-l', `app.kubernetes.io/instance=${NAME}-second`)).items).toEqual(
      [],
    )
    // It has declared nothing, so it may name another queue, which nobody else may.
    const other = JSON.stringify({ spec: { broker: { queue: `${NAME}.other.q` } } })
    await kubectl(['patch', 'xrp', `${NAME}-second`, '-n', 'xray', '--type=merge', '--dry-run=server', '-p', other])
    await remove(`${NAME}-second`)
    expect(await (await openBroker()).queues()).toContain(`${NAME}.raw.q`)
  })

  it('that is deleted leaves nothing, its queues included', async () => {
    const broker = await openBroker()
    expect(await broker.queues()).toContain(`${NAME}.raw.q`)
    await remove(NAME)
    expect((await broker.queues()).filter((queue) => queue.startsWith(NAME))).toEqual([])
    expect(
      (
        await read(
          'services,configmaps,serviceaccounts,networkpolicies',
          '-n',
          'xray',
          '-l',
          `app.kubernetes.io/instance=${NAME}`,
        )
      ).items,
    ).toEqual([])
  })
})

it('the replicas of a pipeline that does not scale are set with kubectl scale', async () => {
  await apply(manifest(`${NAME}-second`, { signals: { replicas: 1, scaling: { provider: 'None' } } }))
  await conditionHolds(`${NAME}-second`, 'Ready', 'True')
  await kubectl(['scale', `xrp/${NAME}-second`, '-n', 'xray', '--replicas=2'])
  await eventually('two signals pods to be ready', 200, async () =>
    (await statusOf(`${NAME}-second`)).components.signals?.ready === 2 ? true : undefined,
  )
})
