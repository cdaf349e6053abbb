import { MongoClient } from 'mongodb'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { KUBECONFIG } from '../../k8s/local/paths.ts'
import { helm } from '../../k8s/local/product.ts'
import { eventually, kubectl } from './cluster.ts'

const NAMESPACE = 'xray-volumes'
/** Each chart, and the container of its pod that takes the volume first. */
const SERVERS = [
  ['rabbitmq', 'rabbitmq'],
  ['redis', 'redis'],
  ['mongodb', 'init'],
] as const
const OWN = [
  'persistence.size=1Gi',
  'terminationGracePeriodSeconds=5', // a server that waits for the lock is PID 1 and hears no SIGTERM
]
const NO_NODE_PORT = ['management.service.type=ClusterIP', 'management.service.nodePort=null']

const inNamespace = (...args: string[]) => kubectl(['-n', NAMESPACE, ...args])
const read = async (...args: string[]) => JSON.parse(await inNamespace('get', ...args, '-o', 'json'))

const install = async (chart: string): Promise<void> => {
  const values = [...OWN, ...(chart === 'rabbitmq' ? NO_NODE_PORT : [])].flatMap((value) => ['--set', value])
  const place = ['--namespace', NAMESPACE, '--kubeconfig', KUBECONFIG]
  await helm([
    'install',
    `own-${chart}`,
    `charts/${chart}`,
    ...place,
    '--values',
    `k8s/local/values/${chart}.yaml`,
    ...values,
  ])
  await inNamespace('rollout', 'status', `statefulset/own-${chart}`, '--timeout=300s')
}

/** Starts a second server on the volume of the first: the chart's own pod under another name. */
const startTwin = async (chart: string): Promise<string> => {
  const { metadata, spec } = await read('pod', `own-${chart}-0`)
  const twin = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `twin-${chart}`, labels: { ...metadata.labels, twin: chart } },
    spec: { ...spec, hostname: undefined, nodeName: undefined },
  }
  await kubectl(['-n', NAMESPACE, 'apply', '-f', '-'], JSON.stringify(twin))
  return twin.metadata.name
}

/** What runs as the first process of a container that has started; flock is there until it has the lock. */
const firstProcess = (pod: string, container: string): Promise<string> =>
  eventually(`${container} of ${pod} to run`, 90, async () =>
    (await inNamespace('exec', pod, '-c', container, '--', 'cat', '/proc/1/comm')).trim(),
  )

const openStore = async (): Promise<MongoClient> => {
  const { data } = await read('secret', 'own-mongodb')
  const password = Buffer.from(data.password, 'base64').toString()
  const { clusterIP } = (await read('service', 'own-mongodb')).spec
  return new MongoClient(`mongodb://xray:${password}@${clusterIP}:27017/?retryWrites=false`, {
    serverSelectionTimeoutMS: 2000,
    connectTimeoutMS: 2000,
    socketTimeoutMS: 2000,
  })
}

/** Inserts one document after the other until it is stopped; `confirmed` has the ids that the store acknowledged. */
const startWriting = (client: MongoClient) => {
  const confirmed: number[] = []
  const stopped = new AbortController()
  const write = async (): Promise<void> => {
    const documents = client.db('volumes').collection<{ _id: number }>('documents')
    for (let id = 0; !stopped.signal.aborted; id++)
      await documents.insertOne({ _id: id }).then(
        () => confirmed.push(id),
        () => undefined, // nothing was promised about this one
      )
  }
  const ended = write()
  const stop = () => {
    stopped.abort()
    return ended
  }
  return { confirmed, stop }
}

type Pod = {
  metadata: { name: string; uid: string }
  status: { initContainerStatuses?: { name: string; started?: boolean; state: { running?: object } }[] }
}

/** The pods whose PostgreSQL has answered, but for one pod; asked of the API, since the old server may still answer. */
const serving = async (gone: string): Promise<string[]> => {
  const pods: Pod[] = (await read('pods', '-l', 'app.kubernetes.io/name=mongodb')).items
  return pods
    .filter(({ metadata }) => metadata.uid !== gone)
    .filter(({ status }) => status.initContainerStatuses?.find(({ name }) => name === 'postgresql')?.started === true)
    .map(({ metadata }) => metadata.name)
}

beforeAll(async () => {
  await kubectl(['create', 'namespace', NAMESPACE])
  await kubectl(['label', 'namespace', NAMESPACE, 'pod-security.kubernetes.io/enforce=restricted'])
  await Promise.all(SERVERS.map(([chart]) => install(chart)))
})
afterAll(() => kubectl(['delete', 'namespace', NAMESPACE, '--ignore-not-found', '--timeout=300s']))

it.each(SERVERS)('a second pod of %s on one volume waits before its first step', async (chart, container) => {
  const twin = await startTwin(chart)
  expect(await firstProcess(twin, container)).toBe('flock')
  const held = ['exec', `own-${chart}-0`, '--', 'flock', '--nonblock', '--conflict-exit-code=75', '/data/.lock', 'true']
  if (chart === 'mongodb') held.splice(2, 0, '-c', 'postgresql')
  await expect(inNamespace(...held)).rejects.toThrow('exit code 75')
})

it('the store loses nothing that it confirmed when its pod is removed by force under writes', async () => {
  const client = await openStore()
  const { confirmed, stop } = startWriting(client)
  try {
    await eventually('100 confirmed writes', 90, async () => (confirmed.length >= 100 ? true : undefined))
    const { uid } = (await read('pod', 'own-mongodb-0')).metadata
    expect(await serving(uid)).toEqual([])
    await inNamespace('delete', 'pod', 'own-mongodb-0', '--force', '--grace-period=0')
    const serves = await eventually('one of the two pods that wait to serve', 150, async () => {
      const names = await serving(uid)
      return names.length > 0 ? names : undefined
    })
    const before = confirmed.length
    await eventually('100 more confirmed writes', 150, async () =>
      confirmed.length >= before + 100 ? true : undefined,
    )
    const other = serves.includes('own-mongodb-0') ? 'twin-mongodb' : 'own-mongodb-0'
    const first = await eventually(`a container of ${other} to run`, 150, async () => {
      const { metadata, status }: Pod = await read('pod', other)
      const running = status.initContainerStatuses?.find(({ state }) => state.running)
      return metadata.uid === uid || running === undefined ? undefined : firstProcess(other, running.name)
    })
    expect(first).toBe('flock')
    expect(serves).toHaveLength(1)
    expect(await serving(uid)).toEqual(serves)
    await stop()
    const stored = await client.db('volumes').collection<{ _id: number }>('documents').distinct('_id')
    expect(confirmed.filter((id) => !stored.includes(id))).toEqual([])
  } finally {
    await stop()
    await client.close()
  }
})
