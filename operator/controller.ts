import { createApplier } from '#kit/apply.ts'
import { createClient, loadKubeConfig } from '#kit/client.ts'
import { createRecorder } from '#kit/events.ts'
import { holdLease } from '#kit/lease.ts'
import { keyOf } from '#kit/resource.ts'
import { createWorkQueue } from '#kit/work-queue.ts'
import type { Logger } from '#runtime/log.ts'
import { closeServer, serveProbes } from '#runtime/probe.ts'
import type { Ending } from '#runtime/shut-down.ts'
import { followCluster } from './cluster/caches.ts'
import { askOpenLetters } from './cluster/dead-letters.ts'
import { createDepths } from './cluster/depths.ts'
import { createPods } from './cluster/pods.ts'
import { createSecrets } from './cluster/secrets.ts'
import type { Config } from './config.ts'
import { createMetrics } from './metrics.ts'
import { createMemories } from './observe.ts'
import { createPipelineMetrics } from './pipeline-metrics.ts'
import { type Context, reconcile } from './reconcile.ts'

const WORKERS = 8
const MANAGER = 'xray-operator'

export type World = { now: () => number; exit: (code: number) => never }

/**
 * Starts the operator: caches first, warm in every replica; then the lease. Only the leader reconciles, and one that
 * loses the lease ends its process, because whatever it still had in mind is another's now.
 */
export const startOperator =
  ({ now, exit }: World) =>
  async (config: Config, log: Logger): Promise<Ending[]> => {
    const metrics = createMetrics()
    const failed = (error: Error) => log.warn({ err: error }, 'the API server cannot be followed')
    const client = createClient(loadKubeConfig(), metrics.requested)
    const namespaces = config.WATCH_NAMESPACES.split(',').filter((namespace) => namespace !== '')

    const caches = followCluster(client, namespaces, (key) => lease.isLeader() && queue.add(key), failed)
    const context: Context = {
      client,
      caches,
      applier: createApplier(client, MANAGER),
      secrets: createSecrets(client),
      depths: createDepths(),
      askOpenLetters: (pipeline) => askOpenLetters(pipeline, config.CLUSTER_DOMAIN),
      memories: createMemories(),
      pods: createPods(client),
      record: createRecorder(client, 'xrayiot.dev/operator', config.POD_NAME, failed),
      release: { image: config.PIPELINE_IMAGE, imagePullPolicy: config.PIPELINE_IMAGE_PULL_POLICY },
      measured: metrics.measured,
      pipelineMetrics: createPipelineMetrics(metrics.registry),
      now,
    }
    const work = async (key: string) => {
      const startedAt = now()
      // After a failover the caches may still be filling; deciding on half of them would delete the other half.
      if (!caches.synced()) return { afterMs: 250 }
      const done = await reconcile(context, key)
      metrics.reconciled('success', (now() - startedAt) / 1000)
      return done
    }
    const queue = createWorkQueue(WORKERS, work, (key, error) => {
      metrics.reconciled('error', 0)
      log.warn({ err: error, pipeline: key }, 'a reconcile failed and is tried again')
    })
    const lease = holdLease(
      client,
      { namespace: config.POD_NAMESPACE, name: config.LEASE_NAME, identity: config.POD_NAME },
      () => {
        log.info('leading')
        metrics.leading(true)
        for (const pipeline of caches.pipelines()) queue.add(keyOf(pipeline))
      },
      (error) => {
        log.fatal({ err: error }, 'the lease is lost')
        exit(1)
      },
    )
    const probes = await serveProbes(config.METRICS_PORT, metrics.registry, {
      caches: () => (caches.synced() ? undefined : 'not filled yet'),
    })
    return [
      ['finish reconciling', queue.close],
      ['release the lease', lease.release],
      [
        'leave the API server',
        async () => {
          await caches.close()
          await client.close()
        },
      ],
      ['stop the probes', () => closeServer(probes)],
    ]
  }
