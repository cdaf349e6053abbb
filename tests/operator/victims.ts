import { createServer, type Server } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { DRAIN_ANNOTATION, DRAINED_PATH } from '#contract/drain.ts'
import type { KubeObject } from '#kit/client.ts'
import { METRICS_PORT } from '../../operator/decide/environment.ts'
import { type Api, MERGE } from './api.ts'

/** The signals pods of a namespace, as far as they can be asked whether they have finished. */
export type Victims = {
  /** Pods that are there, by name, with whether they are told to go. */
  told: () => Promise<Record<string, boolean>>
  /** From now on, whoever is told holds nothing any more. */
  finish: () => void
  /** Pods that are gone and had not said that they hold nothing. */
  lost: () => string[]
  close: () => Promise<void>
}

const PERIOD_MS = 100
/** Each pod has an address of its own on this machine: files run in processes of their own, at once. */
const NETWORK = 100 + (process.pid % 150)
let subnets = 0

export const openVictims = (api: Api, namespace: string): Victims => {
  const subnet = ++subnets
  const path = `/api/v1/namespaces/${namespace}/pods`
  const servers: Server[] = []
  const addressed = new Set<string>()
  const told = new Map<string, boolean>()
  const free = new Set<string>()
  const lost: string[] = []
  let finishing = false
  const stopping = new AbortController()

  const serve = async (name: string): Promise<void> => {
    const ip = `127.${NETWORK}.${subnet}.${servers.length + 1}`
    const server = createServer(({ url }, response) => {
      const finished = url === DRAINED_PATH && told.get(name) === true && finishing
      if (finished) free.add(name)
      response.writeHead(finished ? 200 : 503).end()
    })
    servers.push(server)
    await new Promise<void>((resolve) => server.listen(METRICS_PORT, ip, resolve))
    await api.ask('PATCH', `${path}/${name}/status`, { status: { podIP: ip, podIPs: [{ ip }] } }, MERGE)
    addressed.add(name)
  }
  const list = async (): Promise<KubeObject[]> =>
    (await api.list(`${path}?labelSelector=app.kubernetes.io%2Fcomponent%3Dsignals`)).filter(
      ({ metadata }) => metadata.deletionTimestamp === undefined,
    )
  const round = async (): Promise<void> => {
    const pods = await list()
    for (const name of told.keys())
      if (!pods.some(({ metadata }) => metadata.name === name)) {
        if (!free.has(name)) lost.push(name)
        told.delete(name)
      }
    for (const { metadata } of pods) {
      const { name } = metadata
      told.set(name, metadata.annotations?.[DRAIN_ANNOTATION] !== undefined)
      if (!told.get(name)) free.delete(name)
      if (!addressed.has(name)) await serve(name)
    }
  }
  const running = (async () => {
    while (!stopping.signal.aborted) {
      await round()
      await delay(PERIOD_MS, undefined, { signal: stopping.signal }).catch(() => undefined)
    }
  })()
  return {
    told: async () =>
      Object.fromEntries(
        (await list()).map(({ metadata }) => [metadata.name, metadata.annotations?.[DRAIN_ANNOTATION] !== undefined]),
      ),
    finish: () => {
      finishing = true
    },
    lost: () => lost,
    close: async () => {
      stopping.abort()
      await running
      for (const server of servers) {
        server.close()
        server.closeAllConnections()
      }
    },
  }
}
