import type { World } from './commands.ts'
import { EXIT, Failure } from './failure.ts'
import type { KubeObject } from './kube.ts'

export type Change<T> = { type: 'ADDED' | 'MODIFIED' | 'DELETED'; object: T }
type Line<T> = Change<T> | { type: 'BOOKMARK'; object: KubeObject } | { type: 'ERROR'; object: { message?: string } }

const RETRY_MS = 2_000
/** Some proxies cut what is quiet for longer. */
const LASTING_SECONDS = 240

/**
 * Follows a collection until the signal aborts. When the server has forgotten the version from which to go on,
 * everything that there is comes once more as ADDED.
 * @param resourceVersion of the list that was read before
 */
export async function* watch<T extends KubeObject>(
  { cluster, tell, delay, signal }: Pick<World, 'cluster' | 'tell' | 'delay' | 'signal'>,
  path: string,
  what: string,
  resourceVersion: string,
): AsyncGenerator<Change<T>> {
  let from = resourceVersion
  while (!signal.aborted) {
    const query = new URLSearchParams({
      watch: 'true',
      allowWatchBookmarks: 'true',
      timeoutSeconds: String(LASTING_SECONDS),
      ...(from !== '' && { resourceVersion: from }),
    })
    try {
      for await (const text of cluster().kube.lines(`${path}${path.includes('?') ? '&' : '?'}${query}`, what, signal)) {
        const line = JSON.parse(text) as Line<T>
        if (line.type === 'ERROR') {
          from = ''
          break
        }
        from = line.object.metadata.resourceVersion ?? ''
        if (line.type !== 'BOOKMARK') yield line
      }
    } catch (error) {
      if (error instanceof Failure && error.exit !== EXIT.unreachable) throw error
      tell(`${(error as Error).message}; trying again`)
      await delay(RETRY_MS, signal)
    }
  }
}
