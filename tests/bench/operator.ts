import { setTimeout as delay } from 'node:timers/promises'
import type { KubeObject } from '#kit/client.ts'
import { MERGE } from '../operator/api.ts'
import { type Operator, startOperator } from '../operator/operator-process.ts'
import { must } from '../stand/condition.ts'
import { requestsByAgent, usageOf, waitsOf } from './operator-census.ts'
import { type Ground, openGround, POD_MEGABYTES } from './operator-ground.ts'
import { openManagement } from './operator-management.ts'
import { quantile } from './quantile.ts'

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

const NO_AUDIT = 'no audit log: the API server is not ours'

/** Makes the pipelines and what they connect to. @returns the path of their collection */
const populate = async ({ api, namespace }: Ground, managementUri: string, pipelines: number): Promise<string> => {
  const collection = `/apis/xrayiot.dev/v1alpha1/namespaces/${namespace}/xraypipelines`
  await api.call('POST', '/api/v1/namespaces', { metadata: { name: namespace } })
  const secret = (name: string, stringData: object) =>
    api.call('POST', `/api/v1/namespaces/${namespace}/secrets`, { metadata: { name }, stringData })
  const [uri, host, username, password] = ['amqp://u:p@localhost', 'localhost', 'u', 'p']
  await secret('xray-rabbitmq', { uri, host, username, password, 'management-uri': managementUri })
  await secret('xray-mongodb', { uri: 'mongodb://localhost' })
  await secret('xray-redis', { uri: 'redis://localhost' })
  await inParallel(pipelines, (index) => api.call('POST', collection, manifest(nameOf(index))))
  return collection
}

/** Pipelines whose status is of this generation and ready, counted page by page. */
const countReady = async ({ api }: Ground, collection: string): Promise<number> => {
  let [count, next] = [0, '']
  do {
    const page = await api.call<{ metadata: { continue?: string }; items: KubeObject[] }>(
      'GET',
      `${collection}?limit=500${next === '' ? '' : `&continue=${encodeURIComponent(next)}`}`,
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

/** The sum of a metric's series whose labels match. @param text as Prometheus reads it */
const sumOf = (text: string, name: string, labels = /./): number =>
  text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) && labels.test(line))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)

/** Mean times, ms, of what an operator has done since its start. */
const meansOf = (text: string): Record<string, number> => {
  const mean = (name: string, labels?: RegExp) =>
    Math.round((10_000 * sumOf(text, `${name}_sum`, labels)) / sumOf(text, `${name}_count`, labels)) / 10
  return {
    queued: mean('workqueue_queue_duration_seconds'),
    reconcile: mean('controller_runtime_reconcile_time_seconds'),
    ...Object.fromEntries(
      ['GET', 'POST', 'PATCH'].map((verb) => [
        verb,
        mean('rest_client_request_duration_seconds', new RegExp(`verb="${verb}"`)),
      ]),
    ),
  }
}

/**
 * An operator with many pipelines: all of them new, a restart when there is nothing to do, and a stream of changes.
 * Requests are counted by the API server's audit log, by user agent: those of another operator that is run on the same
 * API server meanwhile stand beside ours.
 * @param pipelines how many; @param pace of the changes, a second, and for how long they come
 * @param kubeconfig of an API server that is there; undefined: a control plane of its own. No operator that watches all
 *   namespaces may run there, and there is no audit log then: what was written is what the operator's metrics say
 */
export const benchOperator = async (
  pipelines: number,
  pace: { perSecond: number; seconds: number },
  kubeconfig: string | undefined,
): Promise<object> => {
  // Without this an interrupt would leave the control plane behind, which ends when this process exits.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
  const ground = await openGround(kubeconfig)
  const management = await openManagement()
  const operators: Operator[] = []
  try {
    const { api, audit } = ground
    let operator: Operator
    const start = async (): Promise<Operator> => {
      const operator = await startOperator(await ground.environment())
      operators.push(operator)
      return operator
    }
    /** What the operator has used. @throws Error with the end of its log when it has ended */
    const usage = () => {
      if (!operator.running()) throw new Error(`the operator has ended: ${operator.log().slice(-4).join('\n')}`)
      return usageOf(operator.pid)
    }
    const counter = async (name: string, labels?: RegExp) => sumOf(await operator.metrics(), name, labels)
    /** What the operator has written since its start, but for its lease; what was refused has written nothing. */
    const writes = () => counter('rest_client_requests_total', /method="(POST|PATCH|DELETE)".*code="2/)
    const mark = () => audit?.log.mark() ?? 0
    const requests = (since: number) => (audit === undefined ? NO_AUDIT : requestsByAgent(audit.log.since(since)))
    const planeSeconds = () => {
      const pids = { ...ground.pids(), bench: process.pid }
      return Object.fromEntries(Object.entries(pids).map(([name, pid]) => [name, usageOf(pid).cpuSeconds]))
    }
    /** CPU seconds that everything but the operator has used since. */
    const others = (since: Record<string, number>) =>
      Object.fromEntries(
        Object.entries(planeSeconds()).map(([name, used]) => [name, Math.round(used - (since[name] ?? 0))]),
      )
    const collection = await populate(ground, management.uri, pipelines)
    console.error(`${pipelines} pipelines are there; KUBECONFIG=${ground.kubeconfig} is the API server's`)

    const allReady = () =>
      must(`${pipelines} pipelines to be ready`, LIMIT_MS, async () => {
        const count = await countReady(ground, collection)
        if (count === pipelines) return true
        console.error(`${count} of ${pipelines} are ready`)
        await delay(Math.max(1_000, pipelines * 2)) // looking is work for the API server, too
        return undefined
      })
    /** Waits until the operator has written nothing for 5 s. */
    const atRest = () => {
      let [count, sinceMs] = [-1, 0]
      return must('the operator to be at rest', LIMIT_MS, async () => {
        const now = await writes().catch(() => count) // one that is busy does not answer in time
        if (now !== count) [count, sinceMs] = [now, performance.now()]
        if (performance.now() - sinceMs > 5_000) return true
        await delay(500)
        return undefined
      })
    }

    // Cold: every pipeline is new.
    let since = mark()
    let used = planeSeconds()
    let startedAt = performance.now()
    operator = await start()
    await allReady()
    const coldMs = performance.now() - startedAt
    await atRest()
    const cold = {
      usage: usage(),
      others: others(used),
      requests: requests(since),
      writes: await writes(),
      meanMs: meansOf(await operator.metrics()),
    }

    console.error(JSON.stringify({ cold: seconds(coldMs), ...cold }))

    // At rest.
    since = mark()
    const before = usage()
    await delay(20_000)
    const atRestCpu = (usage().cpuSeconds - before.cpuSeconds) / 20
    const restRequests = requests(since)

    // Warm: everything is as it should be.
    await operator.stop()
    since = mark()
    used = planeSeconds()
    startedAt = performance.now()
    operator = await start()
    await operator.leads()
    const leadsMs = performance.now() - startedAt
    await must('every pipeline to be looked at', LIMIT_MS, async () =>
      (await counter('controller_runtime_reconcile_total')) >= pipelines ? true : undefined,
    )
    const warmMs = performance.now() - startedAt
    await atRest()
    const warm = { writes: await writes(), requests: requests(since), usage: usage(), others: others(used) }
    console.error(JSON.stringify({ rest: { atRestCpu, restRequests }, warm: seconds(warmMs), ...warm }))

    // Changes, at a steady pace.
    since = mark()
    used = planeSeconds()
    const [changing, wrote] = [usage(), await writes()]
    const changes = pace.perSecond * pace.seconds
    const changeAt = performance.now()
    const sent: Promise<{ status: number }>[] = []
    for (let index = 0; index < changes; index++) {
      const dueMs = changeAt + (index * 1000) / pace.perSecond - performance.now()
      if (dueMs > 0) await delay(dueMs)
      const body = { spec: { signals: { prefetch: 500 + Math.floor(index / pipelines) } } }
      sent.push(api.ask('PATCH', `${collection}/${nameOf(index % pipelines)}`, body, MERGE))
    }
    const answers = Object.groupBy(await Promise.all(sent), ({ status }) => String(status))
    const paceMs = performance.now() - changeAt
    await atRest()
    const waits = audit === undefined ? undefined : waitsOf(audit.log.since(since), audit.user, pipelineOf)
    return {
      pipelines,
      podMegabytes: POD_MEGABYTES,
      cold: { seconds: seconds(coldMs), bar: pipelines <= 1_000 ? 40 : 360, ...cold },
      rest: { cpuCores: Math.round(atRestCpu * 1000) / 1000, requestsIn20Seconds: restRequests },
      warm: { leadsSeconds: seconds(leadsMs), seconds: seconds(warmMs), bar: 20, ...warm },
      changes: {
        answers: Object.fromEntries(Object.entries(answers).map(([status, all]) => [status, all?.length])),
        perSecond: Math.round(changes / (paceMs / 1000)),
        answeredByAWrite: waits?.length ?? NO_AUDIT,
        toFirstWriteMs: waits && { p50: quantile(waits, 0.5), p99: quantile(waits, 0.99), most: Math.max(...waits) },
        bar: 250,
        requests: requests(since),
        writes: (await writes()) - wrote,
        cpuSeconds: Math.round((usage().cpuSeconds - changing.cpuSeconds) * 10) / 10,
        usage: usage(),
        others: others(used),
      },
    }
  } finally {
    for (const operator of operators) {
      // What the operator says of its end is worth more than what its end did to this process.
      if (!operator.running() && (await operator.ended) !== 0) console.error(operator.log().slice(-4).join('\n'))
      await operator.kill()
    }
    await management.close()
    await ground.close()
  }
}
