import { keysSecretName, topologySpecOf } from '#contract/pipeline.ts'
import { formerRetryQueues, topologyNames, toTopology } from '#contract/topology.ts'
import type { Applier } from '#kit/apply.ts'
import type { Client, KubeObject } from '#kit/client.ts'
import type { Recorder } from '#kit/events.ts'
import { keyOf, objectPath } from '#kit/resource.ts'
import type { Done } from '#kit/work-queue.ts'
import { type Caches, PIPELINES } from './cluster/caches.ts'
import { deleteTopology } from './cluster/topology.ts'
import { childrenOf, orphansAmong } from './decide/children.ts'
import type { Release } from './decide/deployment.ts'
import { COMPONENTS, type Component, FINALIZER, type Pipeline, queueHolder } from './decide/pipeline.ts'
import { type ChildKind, RESOURCES } from './decide/resources.ts'
import { decideScaling } from './decide/scaling.ts'
import { decideKeys } from './decide/secret-versions.ts'
import { decideFormerQueues } from './decide/topology.ts'
import { finalize } from './finalize.ts'
import { type ObserveContext, observeBroker } from './observe.ts'
import { componentOf, isSameStatus, statusOf } from './status.ts'

export type Context = ObserveContext & {
  client: Client
  applier: Applier
  caches: Caches
  record: Recorder
  release: Release
  /** The leader tells the depth of every queue; nobody else does. */
  measured: (pipeline: Pipeline, queue: string, ready: number, unacked: number) => void
}

const KINDS = Object.keys(RESOURCES) as ChildKind[]

/** Sets our finalizer: the first write, before anything outside of the cluster is made. */
const addFinalizer = (context: Context, pipeline: Pipeline): Promise<unknown> => {
  const { name, namespace = '', resourceVersion, finalizers = [] } = pipeline.metadata
  const body = { metadata: { resourceVersion, finalizers: [...finalizers, FINALIZER] } }
  return context.client.request({
    method: 'PATCH',
    path: objectPath(PIPELINES, namespace, name),
    body,
    contentType: 'application/merge-patch+json',
  })
}

const liveReplicas = (deployment: KubeObject | undefined): number =>
  (deployment?.spec as { replicas?: number } | undefined)?.replicas ?? 0
const runningReplicas = (deployment: KubeObject | undefined): number =>
  (deployment?.status as { replicas?: number } | undefined)?.replicas ?? 0
const readyReplicas = (deployment: KubeObject | undefined): number =>
  (deployment?.status as { readyReplicas?: number } | undefined)?.readyReplicas ?? 0

/** Brings one pipeline to what its spec says: observe, decide, apply, status. */
export const reconcile = async (context: Context, key: string): Promise<Done> => {
  const pipeline = context.caches.pipeline(key)
  if (pipeline === undefined) return undefined
  if (pipeline.metadata.deletionTimestamp !== undefined) return finalize(context, pipeline)
  const { spec, metadata } = pipeline
  if (!metadata.finalizers?.includes(FINALIZER)) return void (await addFinalizer(context, pipeline))

  // Observe.
  const nowMs = context.now()
  const holder = queueHolder(pipeline, context.caches.pipelines())
  const idle = holder !== undefined || spec.paused
  const names = topologyNames(topologySpecOf(spec))
  const broker = await observeBroker(context, pipeline, toTopology(topologySpecOf(spec)), names, !idle)
  for (const look of broker.looks) context.measured(pipeline, look.name, look.ready, look.unacked)
  const deployments = new Map(
    COMPONENTS.map((component) => [
      component,
      context.caches.child('deployment', `${metadata.namespace}/${metadata.name}-${component}`),
    ]),
  )
  const signals = deployments.get('signals')

  // With a topology that cannot be, the pods stay with the settings of the one that is.
  const blocked = idle || broker.secretProblem !== undefined || broker.topologyProblem !== undefined
  if (!blocked) await context.secrets.ensureKeys(pipeline)
  const versions = blocked ? undefined : await context.secrets.versions(pipeline)

  // Decide.
  const memory = context.memories.of(pipeline)
  const decision = decideScaling(
    memory.samples,
    { current: liveReplicas(signals), ready: readyReplicas(signals) },
    spec.signals.scaling,
    spec.signals.replicas,
    memory.scaling,
    nowMs,
  )
  memory.scaling = decision.memory
  const replicas = { producer: spec.producer.replicas, signals: decision.desired, api: spec.api.replicas }
  const keys = decideKeys(keysSecretName(metadata.name, spec), versions?.keys, (name) => deployments.get(name))
  const children = childrenOf(pipeline, replicas, context.release, { connections: versions?.connections ?? '', keys })

  // Apply.
  if (!blocked) {
    for (const { kind, component, intent } of children) {
      const now = await context.applier.apply(RESOURCES[kind], intent, context.caches.child(kind, keyOf(intent)))
      // The cache learns of it later; until then its Deployment would pass for one that has rolled out.
      if (kind === 'deployment') deployments.set(component, now)
    }
    const settled = COMPONENTS.every(
      (component) => !componentOf(deployments.get(component), replicas[component], '').progressing,
    )
    const live = KINDS.flatMap((kind) =>
      context.caches.owned(kind, metadata.uid ?? '').map((object) => ({ kind, object })),
    )
    for (const { kind, object } of orphansAmong(pipeline, live, children, settled))
      await context.applier.remove(RESOURCES[kind], object)
    const former = decideFormerQueues(formerRetryQueues(names), broker.looks, settled, memory.formerQueues)
    memory.formerQueues = former.emptySince
    if (former.remove.length > 0)
      await deleteTopology(await context.secrets.broker(metadata.namespace ?? '', spec), {
        queues: former.remove,
        exchanges: [],
      })
    if (decision.desired !== liveReplicas(signals) && signals !== undefined)
      context.record(pipeline, {
        type: 'Normal',
        reason: decision.reason,
        action: 'Scale',
        note: `signals: ${decision.message}`,
      })
  }

  // Status.
  const image = spec.image || context.release.image
  const view = (component: Component) => componentOf(deployments.get(component), replicas[component], image)
  const { memory: _, ...scaling } = decision
  const seen = {
    paused: spec.paused,
    takenBy: holder?.metadata.name,
    secretProblem: broker.secretProblem,
    broker: { reachable: broker.problem === undefined, message: broker.problem ?? 'its management API answers' },
    topologyProblem: broker.topologyProblem,
    components: { producer: view('producer'), signals: view('signals'), api: view('api') },
    scaling: idle ? undefined : scaling,
  }
  const status = statusOf(pipeline, seen, broker.depths, runningReplicas(signals), new Date(nowMs))
  if (!isSameStatus(pipeline.status, status)) {
    const gone = Object.keys(pipeline.status ?? {}).filter((field) => !(field in status))
    const body = { status: { ...Object.fromEntries(gone.map((field) => [field, null])), ...status } }
    await context.client.request({
      method: 'PATCH',
      path: `${objectPath(PIPELINES, metadata.namespace ?? '', metadata.name)}/status`,
      body,
      contentType: 'application/merge-patch+json',
    })
    const [before, after] = [pipeline.status?.conditions?.[0], status.conditions[0]]
    if (after !== undefined && before?.reason !== after.reason)
      context.record(pipeline, {
        type: after.status === 'True' ? 'Normal' : 'Warning',
        reason: after.reason,
        action: 'Reconcile',
        note: after.message,
      })
  }
  return { afterMs: spec.signals.scaling.pollingInterval * 1000 }
}
