import type { Client } from '#kit/client.ts'
import { collectionPath, objectPath, type Resource } from '#kit/resource.ts'
import type { Crash, Pod } from '../decide/pods.ts'

const PODS: Resource = { group: '', version: 'v1', plural: 'pods', kind: 'Pod' }
/** Pods of one template fail for one reason: some are as good as all. */
const MOST_PODS = '20'
const LOG_LINES = '40'
const LOG_BYTES = '16384'

/** Pods are not followed, because only those of a roll-out that hangs are of interest; these are asked for. */
export type Pods = {
  /** @throws ApiError when the operator may not list pods */
  list: (namespace: string, labels: Record<string, string>) => Promise<Pod[]>
  /** The end of the log of a process that ended; nothing when it is gone. */
  logOf: (namespace: string, crash: Crash) => Promise<string>
}

export const createPods = (client: Client): Pods => ({
  list: async (namespace, labels) => {
    const labelSelector = Object.entries(labels)
      .map(([label, value]) => `${label}=${value}`)
      .join(',')
    const query = { labelSelector, limit: MOST_PODS }
    const { items } = await client.request<{ items: Pod[] }>({
      method: 'GET',
      path: collectionPath(PODS, namespace),
      query,
    })
    return items
  },
  logOf: (namespace, { pod, container, previous }) =>
    client
      .text({
        method: 'GET',
        path: `${objectPath(PODS, namespace, pod)}/log`,
        query: { container, previous: String(previous), tailLines: LOG_LINES, limitBytes: LOG_BYTES },
      })
      .catch(() => ''),
})
