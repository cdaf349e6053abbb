import { type Edit, toNodeOptions } from '../faults/sabotage.ts'
import { must, within } from '../stand/condition.ts'
import { findServers } from '../stand/servers.ts'
import { MERGE } from './api.ts'
import type { ControlPlane } from './control-plane.ts'
import { brokerState, clusterState, differences, type EndState, effectsOf } from './end-state.ts'
import { install } from './installation.ts'
import { type ManagementProxy, openManagementProxy } from './management.ts'
import { type Operator, startOperator } from './operator-process.ts'
import { type FaultProxy, openFaultProxy } from './proxy.ts'
import { openSite, type Site } from './site.ts'

/** A namespace with an operator of its own, which reaches API server and broker through proxies. */
export type Stage = Site & {
  plane: ControlPlane
  proxy: FaultProxy
  broker: ManagementProxy
  /** The operator, as the audit log names it. */
  user: string
  /**
   * Starts an operator, without waiting for anything.
   * @param change its sources, its environment, or the proxy that it goes through
   */
  start: (change?: { edits?: readonly Edit[]; env?: Record<string, string>; through?: string }) => Promise<Operator>
  /** Starts the next operator after one that was killed: as if the dead one's lease had run out. */
  restart: (edits?: readonly Edit[]) => Promise<Operator>
  /** Kills every operator. */
  kill: () => Promise<void>
  /** Waits until the pipeline is ready, its backlog known, its former settings are removed, and nothing has been written for a while. */
  settled: () => Promise<void>
  /**
   * Waits until the end is that of runs that nothing disturbed, for a while if need be, and until nothing is written.
   * @returns what differs even then
   */
  endsLike: (references: readonly [EndState, EndState]) => Promise<string[]>
  /** Waits until nothing has been written for so long. */
  quiet: (ms: number) => Promise<void>
  endState: () => Promise<EndState>
  /** Takes everything from the broker that the pipeline has there. */
  emptyBroker: () => Promise<void>
}

/** Producer, signals and API, each with its settings. */
const COMPONENTS = 3
/** Longer than the pipelines' polling interval of 1 s: a reconcile lies within. */
const QUIET_MS = 1_600

/** How long the end of a disturbed run may be in coming. */
const END_MS = 30_000

const openStage = async (plane: ControlPlane, namespace: string): Promise<Stage> => {
  const installation = await install(plane, [`watchNamespaces={${namespace}}`], namespace)
  const { rabbitmq } = await findServers()
  const [proxy, broker] = await Promise.all([
    openFaultProxy(plane.server, plane.folder),
    openManagementProxy(rabbitmq.address.host),
  ])
  const site = await openSite(plane.api, namespace, () => 'serves')
  const secret = `/api/v1/namespaces/${namespace}/secrets/xray-rabbitmq`
  await plane.api.call('PATCH', secret, { stringData: { 'management-uri': broker.uri } }, MERGE)
  const mark = plane.audit.mark()
  const operators: Operator[] = []
  const stage: Stage = {
    ...site,
    plane,
    proxy,
    broker,
    user: installation.user,
    start: async ({ edits = [], env = {}, through = proxy.server } = {}) => {
      const options = edits.length === 0 ? {} : { NODE_OPTIONS: toNodeOptions(edits, 0) }
      const operator = await startOperator({ ...(await installation.environment(through)), ...options, ...env })
      operators.push(operator)
      return operator
    },
    restart: async (edits = []) => {
      await plane.api.ask('DELETE', `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/xray-operator`)
      return stage.start({ edits })
    },
    kill: async () => {
      for (const operator of operators) await operator.kill()
    },
    quiet: async (ms) => {
      let [count, sinceMs] = [-1, 0]
      await must(`no write for ${ms} ms`, 60_000, async () => {
        const now = proxy.writes().length
        if (now !== count) [count, sinceMs] = [now, performance.now()]
        return performance.now() - sinceMs >= ms ? true : undefined
      })
    },
    settled: async () => {
      await site.condition('Ready', 'True')
      // The broker tells of a new queue some seconds late.
      await must('the backlog to be known', 60_000, async () => (await site.status()).backlog)
      await must('the former settings to be removed', 60_000, async () => {
        const settings = await site.objects('configmaps')
        return (
          settings.filter(({ metadata }) => metadata.ownerReferences !== undefined).length === COMPONENTS || undefined
        )
      })
      await stage.quiet(QUIET_MS)
    },
    endsLike: async (references) => {
      await within(END_MS, async () => differences(references, await stage.endState()).length === 0 || undefined)
      await stage.quiet(QUIET_MS)
      return differences(references, await stage.endState())
    },
    endState: async () => ({
      objects: await clusterState(plane.api, namespace, [site.vhost.name, namespace]),
      broker: await brokerState(rabbitmq, namespace, site.vhost.name),
      effects: effectsOf(plane.audit.since(mark), installation.user, namespace, broker.calls()),
    }),
    emptyBroker: async () => {
      const { name, manage } = site.vhost
      await manage('DELETE', `vhosts/${name}`)
      await manage('PUT', `vhosts/${name}`, {})
      await manage('PUT', `permissions/${name}/xray`, { configure: '.*', write: '.*', read: '.*' })
    },
    close: async () => {
      await stage.kill()
      await Promise.all([proxy.close(), broker.close()])
      await site.close()
    },
  }
  return stage
}

/** Runs on a stage, and closes it whatever happens. */
export const withStage = async <T>(
  plane: ControlPlane,
  namespace: string,
  run: (stage: Stage) => Promise<T>,
): Promise<T> => {
  const stage = await openStage(plane, namespace)
  try {
    return await run(stage)
  } finally {
    await stage.close()
  }
}
