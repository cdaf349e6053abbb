import { childrenQuery } from './cluster.ts'
import type { World } from './commands.ts'
import { EXIT, Failure } from './failure.ts'
import type { KubeObject } from './kube.ts'
import { type LogLine, readLogLine } from './log-line.ts'
import { watch } from './watch.ts'

export type Pod = KubeObject & {
  spec?: { containers: { name: string; image?: string }[]; nodeName?: string }
  status?: {
    phase?: string
    containerStatuses?: {
      name: string
      ready: boolean
      restartCount: number
      image: string
      state?: { running?: object; waiting?: { reason?: string; message?: string }; terminated?: { reason?: string } }
    }[]
  }
}

export const COMPONENTS = ['producer', 'signals', 'api', 'operator'] as const
export type Component = (typeof COMPONENTS)[number]

/** The pods of a pipeline, of one component of it, or of the operator wherever it is. */
export const podsPath = (namespace: string, pipeline: string, component: Component | undefined): string =>
  component === 'operator'
    ? `/api/v1/pods?labelSelector=${encodeURIComponent('app.kubernetes.io/name=xray-operator')}`
    : `/api/v1/namespaces/${namespace}/pods?${childrenQuery(pipeline, component)}`

/** The process of ours in a pod; a mesh may have put another beside it. */
export const containerOf = ({ metadata, spec }: Pod): string => {
  const names = (spec?.containers ?? []).map(({ name }) => name)
  return names.find((name) => name === metadata.labels?.['app.kubernetes.io/component']) ?? names[0] ?? ''
}

export const logPath = (pod: Pod, query: Record<string, string>): string =>
  `/api/v1/namespaces/${pod.metadata.namespace}/pods/${pod.metadata.name}/log?${new URLSearchParams({ container: containerOf(pod), timestamps: 'true', ...query })}`

/** What of a pod's log could be read, and what kept the rest back. */
type Reading = { lines: LogLine[]; failure?: Failure }

const fault = ({ metadata: { namespace } }: Pod, { exit, message, status }: Failure): Failure =>
  exit === EXIT.denied
    ? new Failure(exit, `${message}; it needs the right to get pods/log in the namespace ${namespace}`, status)
    : new Failure(exit, message, status)

/** A container that has not started, or a pod that went meanwhile, has no log: that is told and is no failure. */
const hasNone = ({ status, message }: Failure): boolean =>
  status === 404 || (status === 400 && /is (waiting to start|not available|terminated)/.test(message))

/** What a pod's log has now. */
export const readLog = async (world: World, pod: Pod, query: Record<string, string>): Promise<Reading> => {
  const { name } = pod.metadata
  try {
    const text = await (await world.cluster().kube.ask(logPath(pod, query), `the log of ${name}`)).text()
    const lines = text.split('\n').filter((line) => line !== '')
    return { lines: lines.map((line) => readLogLine(name, line)) }
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    const failure = fault(pod, error)
    world.tell(failure.message)
    return { lines: [], ...(!hasNone(failure) && { failure }) }
  }
}

const RETRY_MS = 1_000

const isRunning = ({ status }: Pod): boolean =>
  status?.containerStatuses?.some(({ state }) => state?.running !== undefined) === true

/**
 * Follows the logs of pods, also of those that come later, until the signal aborts.
 * @throws Failure when the pods may not be watched or a log not be read; then nothing is followed any more
 * @param from for each pod that is known the time of its last line; newer ones are told from their start
 */
export const followLogs = async (
  world: World,
  path: string,
  pods: readonly Pod[],
  resourceVersion: string,
  from: Map<string, string>,
  show: (line: LogLine) => void,
): Promise<void> => {
  const known = new Map(pods.map((pod) => [pod.metadata.name, pod]))
  const followers: Promise<void>[] = []
  const ending = new AbortController()
  const signal = AbortSignal.any([world.signal, ending.signal])
  let denied: Failure | undefined
  const follow = async (name: string): Promise<void> => {
    for (let pod = known.get(name); pod !== undefined && !signal.aborted; pod = known.get(name)) {
      if (isRunning(pod)) {
        const last = from.get(name)
        const since: Record<string, string> = last === undefined ? {} : { sinceTime: `${last.slice(0, 19)}Z` }
        const query = { follow: 'true', ...since }
        try {
          for await (const text of world.cluster().kube.lines(logPath(pod, query), `the log of ${name}`, signal)) {
            const line = readLogLine(name, text)
            // The server begins at a whole second, so some lines come twice.
            if (line.at <= (from.get(name) ?? '')) continue
            from.set(name, line.at)
            show(line)
          }
        } catch (error) {
          if (!(error instanceof Failure)) throw error
          if (error.exit === EXIT.denied) {
            denied ??= fault(pod, error)
            return ending.abort()
          }
          world.tell(error.message)
        }
      }
      await world.delay(RETRY_MS, signal)
    }
  }
  try {
    for (const name of known.keys()) followers.push(follow(name))
    for await (const { type, object } of watch<Pod>({ ...world, signal }, path, 'the pods', resourceVersion)) {
      const { name } = object.metadata
      const isNew = !known.has(name)
      if (type === 'DELETED') known.delete(name)
      else known.set(name, object)
      if (type !== 'DELETED' && isNew) followers.push(follow(name))
    }
  } finally {
    ending.abort()
    await Promise.all(followers)
  }
  if (denied !== undefined) throw denied
}
