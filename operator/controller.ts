import { createApplier } from '#kit/apply.ts'
import { createClient } from '#kit/client.ts'
import { createController } from '#kit/controller.ts'
import { createRecorder } from '#kit/events.ts'
import { createExpectations, expecting } from '#kit/expectations.ts'
import { fenced } from '#kit/fence.ts'
import type { KubeAccess } from '#kit/kubeconfig.ts'
import { holdLease } from '#kit/lease.ts'
import { pathOfKey } from '#kit/resource.ts'
import type { Logger } from '#runtime/log.ts'
import { every } from '#runtime/periodic.ts'
import { closeServer, serveProbes } from '#runtime/probe.ts'
import type { Ending } from '#runtime/shut-down.ts'
import { createBrokers, queueLengths } from './cluster/broker.ts'
import { followCluster, PIPELINES } from './cluster/caches.ts'
import { askOpenLetters } from './cluster/dead-letters.ts'
import { createDepths } from './cluster/depths.ts'
import { createHandover } from './cluster/handover.ts'
import { createKeda } from './cluster/keda.ts'
import { createMonitors } from './cluster/monitors.ts'
import { createPods } from './cluster/pods.ts'
import { createPrometheus } from './cluster/prometheus.ts'
import { createSecrets } from './cluster/secrets.ts'
import { createSleepers } from './cluster/sleepers.ts'
import { createTopologies } from './cluster/topology.ts'
import type { Config } from './config.ts'
import { createForget } from './forget.ts'
import { createMetrics, WORKERS } from './metrics.ts'
import { createMemories } from './observe.ts'
import { createPipelineMetrics } from './pipeline-metrics.ts'
import { type Context, reconcile } from './reconcile.ts'

const MANAGER = 'xray-operator'

export type World = {
  kubeConfig: KubeAccess
  now: () => number
  elapsedMs: () => number
  exit: (code: number) => never
}

/**
 * Starts the operator: caches first, warm in every replica; then the lease. Only the leader reconciles, and one that
 * loses the lease ends its process, because whatever it still had in mind is another's now.
 */
export const startOperator =
  ({ kubeConfig, now, elapsedMs, exit }: World) =>
  async (config: Config, log: Logger): Promise<Ending[]> => {
    const metrics = createMetrics(config)
    const { kit } = metrics
    const unreachable = (error: Error) => log.warn({ err: error }, 'the API server cannot be followed')
    const end = (error: Error) => {
      log.fatal({ err: error }, 'cannot lead')
      exit(1)
    }
    const namespaces = config.WATCH_NAMESPACES.split(',').filter((namespace) => namespace !== '')

    const client = createClient(kubeConfig, { userAgent: MANAGER, metrics: kit.client })
    // Of its own, so that a renewal waits for no other request on its connection, and for no slot.
    const leaseClient = createClient(kubeConfig, { userAgent: MANAGER, metrics: kit.client })
    const expectations = createExpectations(elapsedMs)
    const writer = expecting(
      fenced(client, () => lease.isLeader()),
      expectations,
    )
    const applier = createApplier(writer, MANAGER, expectations, kit.applier)
    const events = createRecorder(client, 'xrayiot.dev/operator', config.POD_NAME, unreachable)
    const touched = (key: string, priority?: number) => controller.enqueue(key, priority)
    const caches = followCluster(client, namespaces, touched, unreachable, expectations)
    const monitors = createMonitors(client, applier, namespaces, touched, unreachable)
    const [secrets, brokers] = [createSecrets(writer), createBrokers(() => lease.isLeader())]
    const prometheus = createPrometheus(secrets)
    const keda = createKeda(client, applier, namespaces, touched, unreachable, expectations)
    const sleepers = createSleepers(queueLengths, touched, { nowMs: now, every })
    const [memories, pipelineMetrics] = [createMemories(), createPipelineMetrics(metrics.registry)]
    const context: Context = {
      client: writer,
      caches,
      applier,
      handOver: createHandover(writer),
      monitors,
      keda,
      secrets,
      broker: async (namespace, spec) => brokers.of(await secrets.broker(namespace, spec)),
      depths: createDepths(),
      topologies: createTopologies(),
      prometheus,
      askOpenLetters: (pipeline) => askOpenLetters(pipeline, config.CLUSTER_DOMAIN),
      memories,
      forget: createForget({ memories, pipelineMetrics, unmeasured: metrics.unmeasured, secrets }),
      pods: createPods(writer),
      sleepers,
      record: events.record,
      release: { image: config.PIPELINE_IMAGE, imagePullPolicy: config.PIPELINE_IMAGE_PULL_POLICY },
      measured: metrics.measured,
      pipelineMetrics,
      now,
    }
    const controller = createController({
      workers: WORKERS,
      reconcile: (key) => reconcile(context, key),
      synced: caches.synced,
      stale: (key) => {
        const cached = caches.pipeline(key)
        return cached !== undefined && !expectations.caughtUp(pathOfKey(PIPELINES, key), cached)
      },
      failed: (key, error) => log.warn({ err: error, pipeline: key }, 'a reconcile failed and is tried again'),
      metrics: kit.reconcile,
      queueMetrics: kit.queue,
    })
    kit.watchQueue(controller.state)
    const lease = holdLease(
      leaseClient,
      { namespace: config.POD_NAMESPACE, name: config.LEASE_NAME, identity: config.POD_NAME },
      () => {
        log.info('leading')
        kit.leading(true)
        controller.start().catch(end)
      },
      (error) => {
        controller.abandon(error)
        end(error)
      },
    )
    const probes = await serveProbes(config.METRICS_PORT, metrics.registry, {
      caches: () => (caches.synced() ? undefined : 'not filled yet'),
    })
    return [
      ['stop looking at sleepers', sleepers.close],
      [
        'finish reconciling',
        async () => {
          const left = await controller.stop()
          if (left.length > 0) log.warn({ pipelines: left }, 'some reconciles were not finished')
        },
      ],
      ['send the last events', events.close],
      [
        'release the lease',
        async () => {
          await lease.release()
          await leaseClient.close()
        },
      ],
      [
        'leave the API server',
        async () => {
          await prometheus.close()
          await monitors.close()
          await keda.close()
          await caches.close()
          await brokers.close()
          await client.close()
        },
      ],
      ['stop the probes', () => closeServer(probes)],
    ]
  }
