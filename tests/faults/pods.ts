import { DEFAULTS } from '#contract/pipeline.ts'
import { address, kubectl, read, secret } from '../e2e/cluster.ts'
import { apply, conditionHolds, manifest } from '../e2e/pipeline.ts'
import { must, within } from '../stand/condition.ts'
import type { Fault } from './fault.ts'
import type { Stage } from './stage.ts'

type Settings = { signals: number; turn: number }

/** The pipeline at one moment: how many signals, and a label by whose change every pod is rolled. */
const settle = async (stage: Stage, name: string, { signals, turn }: Settings): Promise<void> => {
  const labels = { turn: String(turn) }
  const templateOf = (component: 'producer' | 'signals') => {
    const value = stage.nodeOptions(component)
    return { labels, ...(value !== undefined && { env: [{ name: 'NODE_OPTIONS', value }] }) }
  }
  await apply(
    manifest(name, {
      deletionPolicy: 'Retain',
      producer: { replicas: 2, rateLimit: { perDevicePerMinute: 100_000 }, podTemplate: templateOf('producer') },
      signals: { replicas: signals, scaling: { provider: 'None' }, podTemplate: templateOf('signals') },
      api: { replicas: 0 },
    }),
  )
}

/** Takes the pods of a pipeline off the only node. What may not be disrupted stays; the node takes pods again after. */
const drainNode = async (name: string): Promise<void> => {
  const [node] = (await read('nodes')).items as { metadata: { name: string } }[]
  const selector = `--pod-selector=app.kubernetes.io/instance=${name}`
  const options = [selector, '--ignore-daemonsets', '--delete-emptydir-data', '--timeout=5s', '--grace-period=20']
  try {
    await kubectl(['drain', node?.metadata.name ?? '', ...options]).catch(() => undefined)
  } finally {
    await kubectl(['uncordon', node?.metadata.name ?? ''])
  }
}

const removePipeline = async (name: string): Promise<void> => {
  await kubectl(['delete', 'xraypipeline', name, '-n', 'xray', '--ignore-not-found', '--wait=true', '--timeout=300s'])
  await must(`the pods of ${name} to be gone`, 120_000, async () =>
    (await read('pods', '-n', 'xray', '-l', `app.kubernetes.io/instance=${name}`)).items.length === 0
      ? true
      : undefined,
  )
  await kubectl(['delete', 'secret', `${name}-keys`, '-n', 'xray', '--ignore-not-found'])
}

/** The pods of a pipeline by uid, those that end as well. */
const podsOf = async (name: string): Promise<string[]> => {
  const { items } = await read('pods', '-n', 'xray', '-l', `app.kubernetes.io/instance=${name}`)
  return items.map(({ metadata }: { metadata: { uid: string } }) => metadata.uid)
}

const movePods = async (stage: Stage): Promise<void> => {
  const name = stage.db.databaseName
  stage.uncount() // the counts of a pod go with it
  stage.beforeCollecting(() => removePipeline(name))
  await settle(stage, name, { signals: 1, turn: 0 })
  await conditionHolds(name, 'Ready', 'True')
  const host = await address(`${name}-producer`)
  const master = Buffer.from(await secret(`${name}-keys`, 'device-master-k1'), 'hex')
  await must('the producers to answer', 90_000, async () => (await fetch(`http://${host}:8080/`)).status)
  const first = new Set(await podsOf(name))
  let most = 0
  const load = stage.load({
    targets: () => [{ host, port: 8080 }],
    messages: 100_000,
    ratePerSecond: 60,
    master,
  })
  for (const change of [
    { signals: 1, turn: 1 },
    { signals: 5, turn: 1 },
    { signals: 1, turn: 1 },
  ]) {
    await settle(stage, name, change)
    await conditionHolds(name, 'Ready', 'True')
    most = Math.max(most, (await podsOf(name)).length)
  }
  stage.expect(most >= 7, `expected 2 producers and 5 signals at once, got ${most} pods at most`)
  await drainNode(name)
  await conditionHolds(name, 'Ready', 'True')
  const moved = await within(60_000, async () => !(await podsOf(name)).some((uid) => first.has(uid)) || undefined)
  stage.expect(moved === true, 'some pods have not been moved')
  stage.expect(load.accepted() > 0, 'nothing was accepted meanwhile')
  load.stop()
  await load.done
}

export const PODS: Fault[] = [
  {
    name: 'pods-moved',
    what: 'at load, all pods are rolled, signals is scaled from 1 to 5 and back, and the node is drained',
    expected: 'nothing is lost, nothing doubled',
    // What the operator declares for the pipeline, so that the topology that is there already is its own.
    options: { retry: DEFAULTS.retry, maxLengthBytes: 4 * 2 ** 30 },
    control: { sabotage: 'ends-at-once', of: 'signals', breaks: /^I1 .* is lost/ },
    run: movePods,
  },
]
