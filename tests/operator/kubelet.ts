import { setTimeout as delay } from 'node:timers/promises'
import type { KubeObject } from '#kit/client.ts'
import { type Api, MERGE } from './api.ts'

/** What becomes of a pod: it serves, waits with a kubelet's word and sentence, or ends with a code. */
export type Fate = 'serves' | { waits: string; because: string } | { ends: number }

/** Says of the pods of a namespace what a kubelet would say: the light control plane has none. */
export type Kubelet = { close: () => Promise<void> }

const PERIOD_MS = 200

const containersOf = (pod: KubeObject): { name: string; image: string }[] =>
  (pod.spec as { containers: { name: string; image: string }[] }).containers

const statusOf = (pod: KubeObject, fate: Fate) => {
  const ready = fate === 'serves'
  const state =
    fate === 'serves'
      ? { running: {} }
      : 'waits' in fate
        ? { waiting: { reason: fate.waits, message: fate.because } }
        : { terminated: { exitCode: fate.ends, reason: 'Error' } }
  return {
    phase: ready ? 'Running' : 'Pending',
    conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
    containerStatuses: containersOf(pod).map(({ name, image }) => ({
      name,
      image,
      imageID: '',
      ready,
      restartCount: 0,
      state,
    })),
  }
}

/** @param fateOf decides by the image, once for each pod */
export const startKubelet = (api: Api, namespace: string, fateOf: (image: string) => Fate): Kubelet => {
  const path = `/api/v1/namespaces/${namespace}/pods`
  const stopping = new AbortController()
  const told = new Set<string>()
  const round = async (): Promise<void> => {
    for (const pod of await api.list(path)) {
      const { uid = '', name } = pod.metadata
      if (told.has(uid)) continue
      const fate = fateOf(containersOf(pod)[0]?.image ?? '')
      // A pod that is gone meanwhile needs no status.
      await api.ask('PATCH', `${path}/${name}/status`, { status: statusOf(pod, fate) }, MERGE)
      told.add(uid)
    }
  }
  const running = (async () => {
    while (!stopping.signal.aborted) {
      await round().catch(() => undefined) // the API server may be away for a while
      await delay(PERIOD_MS, undefined, { signal: stopping.signal }).catch(() => undefined)
    }
  })()
  return {
    close: async () => {
      stopping.abort()
      await running
    },
  }
}
