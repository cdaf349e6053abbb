import { isIPv6 } from 'node:net'
import { DRAINED_PATH } from '#contract/drain.ts'
import type { Client } from '#kit/client.ts'
import { isNotFound } from '#kit/errors.ts'
import { collectionPath, objectPath, type Resource } from '#kit/resource.ts'
import { METRICS_PORT } from '../decide/environment.ts'
import type { Crash, Pod } from '../decide/pods.ts'

const PODS: Resource = { group: '', version: 'v1', plural: 'pods', kind: 'Pod' }
const ANSWER_LIMIT_MS = 2_000
const LOG_LINES = '40'
const LOG_BYTES = '16384'

/** Pods are not followed, because only those of a roll-out that hangs, or that go, are of interest; these are asked for. */
export type Pods = {
  /**
   * @param most how many of them are enough
   * @throws ApiError when the operator may not list pods
   */
  list: (namespace: string, labels: Record<string, string>, most: number) => Promise<Pod[]>
  /** Sets annotations, or removes those that are null. A pod that is gone meanwhile is fine. */
  annotate: (namespace: string, name: string, annotations: Record<string, string | null>) => Promise<void>
  /** Whether a pod says that it may go; one that does not answer within 2 s does not. */
  hasFinished: (podIp: string) => Promise<boolean>
  /** The end of the log of a process that ended; nothing when it is gone. */
  logOf: (namespace: string, crash: Crash) => Promise<string>
}

export const createPods = (client: Client): Pods => ({
  list: async (namespace, labels, most) => {
    const labelSelector = Object.entries(labels)
      .map(([label, value]) => `${label}=${value}`)
      .join(',')
    const query = { labelSelector, limit: String(most) }
    const { items } = await client.request<{ items: Pod[] }>({
      method: 'GET',
      path: collectionPath(PODS, namespace),
      query,
    })
    return items
  },
  annotate: async (namespace, name, annotations) => {
    const body = { metadata: { annotations } }
    const path = objectPath(PODS, namespace, name)
    await client
      .request({ method: 'PATCH', path, body, contentType: 'application/merge-patch+json' })
      .catch((error) => {
        if (!isNotFound(error)) throw error
      })
  },
  hasFinished: (podIp) =>
    fetch(`http://${isIPv6(podIp) ? `[${podIp}]` : podIp}:${METRICS_PORT}${DRAINED_PATH}`, {
      signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
    }).then(
      async (answer) => {
        await answer.arrayBuffer()
        return answer.ok
      },
      () => false,
    ),
  logOf: (namespace, { pod, container, previous }) =>
    client
      .text({
        method: 'GET',
        path: `${objectPath(PODS, namespace, pod)}/log`,
        query: { container, previous: String(previous), tailLines: LOG_LINES, limitBytes: LOG_BYTES },
      })
      .catch(() => ''),
})
