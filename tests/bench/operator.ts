import { setTimeout as delay } from 'node:timers/promises'
import type { KubeObject } from '#kit/client.ts'
import { MERGE } from '../operator/api.ts'
import { openControlPlane } from '../operator/control-plane.ts'
import { install } from '../operator/installation.ts'
import { type Operator, startOperator } from '../operator/operator-process.ts'
import { must } from '../stand/condition.ts'
import { quantile, requestsByAgent, usageOf, waitsOf, writesOf } from './operator-census.ts'
import { openManagement } from './operator-management.ts'

const NAMESPACE = 'bench'
const PIPELINES = `/apis/xrayiot.dev/v1alpha1/namespaces/${NAMESPACE}/xraypipelines`
const CHANGES_PER_SECOND = 100
const LIMIT_MS = 1_800_000
const AT_ONCE = 32

/** `p00042`: of one length, so that a child's name tells its pipeline. */
const nameOf = (index: number): string => `p${String(index).padStart(5, '0')}`
const pipelineOf = (name: string): string => name.slice(0, nameOf(0).length)

/** Without pods: what is measured is the operator, not a kubelet. A virtual host each, as different customers have. */
const manifest = (name: string): object => ({
  apiVersion: 'xrayiot.dev/v1alpha1',
  kind: 'XRayPipeline',
  metadata: { name },
  spec: {
    broker: { vhost: name },
    producer: { replicas: 0 },
    api: { replicas: 0 },
    signals: { replicas: 0, scaling: { provider: 'None' } },
  },
})

const inParallel = async (count: number, work: (index: number) => Promise<unknown>): Promise<void> => {
  let next = 0
  const worker = async () => {
    while (next < count) await work(next++)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
}

const seconds = (ms: number): number => Math.round(ms / 100) / 10

/**
 * An operator with many pipelines on a control plane of its own: all of them new, a restart when there is nothing to
 * do, and a stream of changes. Requests are counted by the API server's audit log, by user agent: those of another
 * operator that is run on the same API server meanwhile stand beside ours.
 * @param pipelines how many; @param changeSeconds how long changes come
 */
export const benchOperator = async (pipelines: number, changeSeconds: number): Promise<object> => {
  // Without this an interrupt would leave the control plane behind, which ends when this process exits.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
  const plane = await openControlPlane()
  const management = await openManagement()
  const operators: Operator[] = []
  try {
    const { api, audit } = plane
    const { user, environment } = await install(plane, [])
    let operator: Operator
    const start = async (): Promise<Operator> => {
      const operator = await startOperator(await environment(plane.server))
      operators.push(operator)
      return operator
    }
    /** What the operator has used. @throws Error with the end of its log when it has ended */
    const usage = () => {
      if (!operator.running()) throw new Error(`the operator has ended: ${operator.log().slice(-2).join('\n')}`)
      return usageOf(operator.pid)
    }
    await api.call('POST', '/api/v1/namespaces', { metadata: { name: NAMESPACE } })
    const secret = (name: string, stringData: object) =>
      api.call('POST', `/api/v1/namespaces/${NAMESPACE}/secrets`, { metadata: { name }, stringData })
    const [uri, host, username, password] = ['amqp://u:p@localhost', 'localhost', 'u', 'p']
    await secret('xray-rabbitmq', { uri, host, username, password, 'management-uri': management.uri })
    await secret('xray-mongodb', { uri: 'mongodb://localhost' })
    await secret('xray-redis', { uri: 'redis://localhost' })
    await inParallel(pipelines, (index) => api.call('POST', PIPELINES, manifest(nameOf(index))))
    console.error(`${pipelines} pipelines are there; KUBECONFIG=${plane.folder}/admin.kubeconfig is the API server's`)

    /** Pipelines whose status is of this generation and ready, counted page by page. */
    const ready = async (): Promise<number> => {
      let [count, next] = [0, '']
      do {
        const page = await api.call<{ metadata: { continue?: string }; items: KubeObject[] }>(
          'GET',
          `${PIPELINES}?limit=500${next === '' ? '' : `&continue=${encodeURIComponent(next)}`}`,
        )
        count += page.items.filter(({ metadata, status }) => {
          const { observedGeneration, conditions = [] } = status as {
            observedGeneration: number
            conditions?: { type: string; status: string }[]
          }
          const isReady = conditions.some(({ type, status: holds }) => type === 'Ready' && holds === 'True')
          return isReady && observedGeneration === metadata.generation
        }).length
        next = page.metadata.continue ?? ''
      } while (next !== '')
      return count
    }
    const allReady = () =>
      must(`${pipelines} pipelines to be ready`, LIMIT_MS, async () => {
        const count = await ready()
        if (count === pipelines) return true
        console.error(`${count} of ${pipelines} are ready`)
        await delay(Math.max(1_000, pipelines * 2)) // looking is work for the API server, too
        return undefined
      })
    /** Waits until the operator has written nothing for 5 s. */
    const atRest = (since: number) =>
      must('the operator to be at rest', LIMIT_MS, async () => {
        const last = writesOf(audit.since(since), user).at(-1)?.atMs ?? 0
        if (Date.now() - last > 5_000) return true
        await delay(1_000)
        return undefined
      })

    // Cold: every pipeline is new.
    let mark = audit.mark()
    let startedAt = performance.now()
    operator = await start()
    await allReady()
    const coldMs = performance.now() - startedAt
    await atRest(mark)
    const cold = {
      usage: usage(),
      requests: requestsByAgent(audit.since(mark)),
      writes: writesOf(audit.since(mark), user).length,
    }

    // At rest.
    mark = audit.mark()
    const before = usage()
    await delay(20_000)
    const atRestCpu = (usage().cpuSeconds - before.cpuSeconds) / 20
    const restRequests = requestsByAgent(audit.since(mark))

    // Warm: everything is as it should be.
    await operator.stop()
    mark = audit.mark()
    startedAt = performance.now()
    operator = await start()
    await operator.leads()
    const leadsMs = performance.now() - startedAt
    const reconciled = async (): Promise<number> =>
      (await operator.metrics())
        .split('\n')
        .filter((line) => line.startsWith('controller_runtime_reconcile_total{'))
        .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
    await must('every pipeline to be looked at', LIMIT_MS, async () =>
      (await reconciled()) >= pipelines ? true : undefined,
    )
    const warmMs = performance.now() - startedAt
    await atRest(mark)
    const warm = {
      writes: writesOf(audit.since(mark), user).length,
      requests: requestsByAgent(audit.since(mark)),
      usage: usage(),
    }

    // Changes, at a steady pace.
    mark = audit.mark()
    const changing = usage()
    const changes = CHANGES_PER_SECOND * changeSeconds
    const changeAt = performance.now()
    const sent: Promise<{ status: number }>[] = []
    for (let index = 0; index < changes; index++) {
      const dueMs = changeAt + (index * 1000) / CHANGES_PER_SECOND - performance.now()
      if (dueMs > 0) await delay(dueMs)
      const body = { spec: { signals: { prefetch: 500 + Math.floor(index / pipelines) } } }
      sent.push(api.ask('PATCH', `${PIPELINES}/${nameOf(index % pipelines)}`, body, MERGE))
    }
    const refused = (await Promise.all(sent)).filter(({ status }) => status !== 200).length
    const paceMs = performance.now() - changeAt
    await atRest(mark)
    const entries = audit.since(mark)
    const waits = waitsOf(entries, user, pipelineOf)
    return {
      pipelines,
      cold: { seconds: seconds(coldMs), bar: pipelines <= 1_000 ? 40 : 360, ...cold },
      rest: { cpuCores: Math.round(atRestCpu * 1000) / 1000, requestsIn20Seconds: restRequests },
      warm: { leadsSeconds: seconds(leadsMs), seconds: seconds(warmMs), bar: 20, ...warm },
      changes: {
        sent: changes,
        refused,
        perSecond: Math.round(changes / (paceMs / 1000)),
        answeredByAWrite: waits.length,
        toFirstWriteMs: { p50: quantile(waits, 0.5), p99: quantile(waits, 0.99), most: Math.max(...waits) },
        bar: 250,
        writes: writesOf(entries, user).length,
        cpuSeconds: Math.round((usage().cpuSeconds - changing.cpuSeconds) * 10) / 10,
        usage: usage(),
      },
    }
  } finally {
    for (const operator of operators) await operator.kill()
    await management.close()
    await plane.close()
  }
}
