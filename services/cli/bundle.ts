import { stringify } from 'yaml'
import { examine } from './check.ts'
import { childrenQuery, type Secret } from './cluster.ts'
import type { World } from './commands.ts'
import { checksOf } from './doctor-command.ts'
import { readEvents } from './events-command.ts'
import { Failure } from './failure.ts'
import type { KubeObject } from './kube.ts'
import { createPaint } from './paint.ts'
import { logPath, type Pod, podsPath } from './pod-logs.ts'
import { createScrub, withoutSecrets } from './scrub.ts'
import { toSections } from './status.ts'
import type { Entry } from './tar.ts'

/** Of each container: what is older helps nobody, and a bundle has to go through a mail. */
const MOST_LINES = '5000'
const MOST_BYTES = String(1024 * 1024)

/** Kinds of what a pipeline owns; Secrets are not among them on purpose. */
const CHILDREN = [
  ['/apis/apps/v1', 'deployments'],
  ['/apis/apps/v1', 'replicasets'],
  ['/api/v1', 'services'],
  ['/api/v1', 'configmaps'],
  ['/api/v1', 'serviceaccounts'],
  ['/apis/policy/v1', 'poddisruptionbudgets'],
  ['/apis/networking.k8s.io/v1', 'networkpolicies'],
] as const

const yaml = (objects: readonly unknown[]): string =>
  objects.map((object) => stringify(withoutSecrets(object))).join('---\n')

const keyNames = (secrets: readonly Secret[]): string =>
  secrets.map(({ metadata, data = {} }) => `${metadata.name}: ${Object.keys(data).join(', ')}\n`).join('')

/** What of a node bears on pods. */
const nodeView = ({ metadata, status }: KubeObject) => {
  const { nodeInfo, conditions, allocatable } = (status ?? {}) as Record<string, unknown>
  return { name: metadata.name, nodeInfo, conditions, allocatable }
}

/** The log of each container, and of the one before it where there was one. */
const readPodLogs = async (world: World, pod: Pod, query: Record<string, string>): Promise<Entry[]> => {
  const bounds = { tailLines: MOST_LINES, limitBytes: MOST_BYTES, ...query }
  const entries: Entry[] = []
  for (const { name } of pod.spec?.containers ?? []) {
    const restarts = pod.status?.containerStatuses?.find((status) => status.name === name)?.restartCount ?? 0
    for (const previous of restarts > 0 ? ['false', 'true'] : ['false']) {
      const path = logPath(pod, { ...bounds, previous, container: name })
      // A container that has not started has no log; why, its pod says.
      const text = await world
        .cluster()
        .kube.ask(path, `the log of ${pod.metadata.name}`)
        .then((answer) => answer.text())
        .catch((error: Error) => `${error.message}\n`)
      const file = `${pod.metadata.name}-${name}`.slice(0, 80)
      entries.push({ name: `logs/${file}${previous === 'true' ? '.before' : ''}.log`, text })
    }
  }
  return entries
}

/**
 * Everything that tells how a pipeline is, without a value of any Secret. What cannot be had is named in left-out.txt,
 * and stops nothing.
 * @param query of the logs, such as sinceSeconds
 */
export const collect = async (world: World, query: Record<string, string>, version: string): Promise<Entry[]> => {
  const { kube, namespace, name, pipeline } = world.cluster()
  const home = `namespaces/${namespace}`
  const seen = await pipeline()
  const entries: Entry[] = []
  const leftOut: string[] = []
  const add = async (file: string, read: () => Promise<string>): Promise<void> => {
    try {
      entries.push({ name: file, text: await read() })
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      leftOut.push(`${file}: ${error.message}`)
      world.tell(`left out: ${file}: ${error.message}`)
    }
  }
  const listed = async <T extends KubeObject>(path: string, what: string): Promise<T[]> =>
    (await kube.list<T>(path, what)).items

  let secrets: Secret[] = []
  await add('secrets.txt', async () => {
    secrets = await listed<Secret>(`/api/v1/${home}/secrets`, `the Secrets of ${namespace}`)
    return keyNames(secrets)
  })
  await add('versions.yaml', async () => {
    const kubernetes = (await kube.get<{ gitVersion: string }>('/version', 'the version of the cluster')).gitVersion
    const at = new Date(world.now()).toISOString()
    return stringify({ at, xrayctl: version, node: world.nodeVersion, kubernetes, components: seen.status?.components })
  })
  await add('pipeline.yaml', async () => yaml([seen]))
  await add('status.txt', async () => `${toSections(seen, world.now(), true, createPaint(false))}\n`)
  await add('doctor.yaml', async () => stringify(await examine(checksOf(world, false), () => undefined)))
  await add('events.yaml', async () => stringify((await readEvents(world)).lines))
  for (const [group, kind] of CHILDREN)
    await add(`children/${kind}.yaml`, async () =>
      yaml(await listed(`${group}/${home}/${kind}?${childrenQuery(name)}`, `the ${kind} of ${name}`)),
    )
  await add('volumes.yaml', async () =>
    yaml(await listed(`/api/v1/${home}/persistentvolumeclaims`, `the volume claims of ${namespace}`)),
  )
  await add('nodes.yaml', async () => yaml((await listed('/api/v1/nodes', 'the nodes')).map(nodeView)))
  const ours = `/api/v1/${home}/pods?labelSelector=${encodeURIComponent('app.kubernetes.io/part-of=xrayiot')}`
  for (const [file, path] of [
    ['pods.yaml', ours],
    ['operator-pods.yaml', podsPath(namespace, name, 'operator')],
  ] as const)
    await add(file, async () => {
      const pods = await listed<Pod>(path, 'the pods')
      for (const pod of pods) entries.push(...(await readPodLogs(world, pod, query)))
      return yaml(pods)
    })
  if (leftOut.length > 0) entries.push({ name: 'left-out.txt', text: `${leftOut.join('\n')}\n` })
  const scrub = createScrub(secrets)
  return entries.map((entry) => ({ ...entry, text: scrub(entry.text) }))
}
