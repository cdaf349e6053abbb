import { keysSecretName } from '#contract/pipeline.ts'
import type { Elsewhere } from '#contract/scaling/situation.ts'
import { formerRetryQueues } from '#contract/topology.ts'
import type { Applier } from '#kit/apply.ts'
import type { Client, KubeObject } from '#kit/client.ts'
import type { Recorder } from '#kit/events.ts'
import { hasFinalizer, withFinalizer } from '#kit/finalizers.ts'
import type { Done } from '#kit/work-queue.ts'
import { carryOut, deploymentsOf } from './actions.ts'
import type { QueueLook } from './cluster/broker.ts'
import type { Caches } from './cluster/caches.ts'
import type { Handover } from './cluster/handover.ts'
import type { Keda } from './cluster/keda.ts'
import type { Monitors } from './cluster/monitors.ts'
import type { Pods } from './cluster/pods.ts'
import type { Values } from './cluster/prometheus.ts'
import type { Sleepers } from './cluster/sleepers.ts'
import { removeFormerQueues } from './cluster/topology.ts'
import type { Release } from './decide/deployment.ts'
import { decideDrain, heldDrain } from './decide/drain.ts'
import { type Component, FINALIZER, type Pipeline, queueHolder } from './decide/pipeline.ts'
import { numberIn, type Observed, type Owned, observationOf, planOf } from './decide/plan.ts'
import type { Refusal } from './decide/refusal.ts'
import { type ChildKind, RESOURCES } from './decide/resources.ts'
import { rolloutOf } from './decide/rollout.ts'
import { scaledObjectOf, unsupportedByKeda } from './decide/scaled-object.ts'
import { elsewhereOf } from './decide/scalers.ts'
import { planScaling, type ScalingPlan, type ScalingStatus, withDrain } from './decide/scaling.ts'
import { decideKeys, mountedVersion } from './decide/secret-versions.ts'
import { decideFormerQueues } from './decide/topology.ts'
import { observeDrain, tellPods } from './drain.ts'
import { finalize } from './finalize.ts'
import { type ObserveContext, observeBroker, type PipelineMemory } from './observe.ts'
import type { PipelineMetrics } from './pipeline-metrics.ts'
import { patch, recordScaling, tell } from './report.ts'
import { observeRollouts } from './rollouts.ts'
import { statusOf } from './status.ts'

export type Context = ObserveContext & {
  client: Client
  applier: Applier
  caches: Caches
  pods: Pods
  handOver: Handover
  sleepers: Sleepers
  monitors: Monitors
  keda: Keda
  record: Recorder
  release: Release
  pipelineMetrics: PipelineMetrics
  /** Forgets all that is kept of a pipeline that is gone. */
  forget: (pipeline: Pipeline) => void
  /** The leader tells the depth of every queue; nobody else does. */
  measured: (pipeline: Pipeline, queue: string, ready: number, unacked: number) => void
}

const KINDS = Object.keys(RESOURCES) as ChildKind[]
const ENDING_MS = 5_000
/** How often pods that go are asked whether they have finished. */
const DRAIN_LOOK_MS = 1_000

/** Sets our finalizer: the first write, before anything outside of the cluster is made. */
const addFinalizer = (context: Context, pipeline: Pipeline): Promise<unknown> =>
  patch(context, pipeline, '', withFinalizer(pipeline, FINALIZER))

const scaleOf = (deployment: KubeObject | undefined): { current: number; running: number; ready: number } => {
  const { replicas: running = 0, readyReplicas: ready = 0 } = (deployment?.status ?? {}) as {
    replicas?: number
    readyReplicas?: number
  }
  return { current: numberIn(deployment), running, ready }
}

const isSameDepth = (before: QueueLook | undefined, after: QueueLook): boolean =>
  before?.name === after.name && before.ready === after.ready && before.unacked === after.unacked

/** How many signals pods there shall be; what the decision wants to know next time is remembered. */
const scalingOf = (
  pipeline: Pipeline,
  memory: PipelineMemory,
  signals: KubeObject | undefined,
  values: Values,
  elsewhere: Elsewhere | undefined,
  nowMs: number,
): ScalingPlan => {
  const seen = { samples: memory.samples, replicas: scaleOf(signals), ...values, elsewhere }
  const plan = planScaling(pipeline, seen, memory.scaling, nowMs)
  memory.scaling = plan.memory
  return plan
}

/** Has the ScaledObject made, or removed, that the provider asks for; one of another's in its place is left alone. */
const ensureKeda = async (
  { keda, broker }: Context,
  pipeline: Pipeline,
  elsewhere: Elsewhere | undefined,
): Promise<Refusal | undefined> => {
  if (pipeline.spec.signals.scaling.provider !== 'KEDA') return keda.ensure(pipeline, {})
  if (elsewhere?.reason === 'Conflict') return undefined
  const { managementUri } = await broker(pipeline.metadata.namespace ?? '', pipeline.spec)
  return keda.ensure(pipeline, scaledObjectOf(pipeline, managementUri))
}

/** Brings one pipeline to what its spec says: observe, decide, apply, status. */
export const reconcile = async (context: Context, key: string): Promise<Done> => {
  const pipeline = context.caches.pipeline(key)
  if (pipeline === undefined || pipeline.metadata.deletionTimestamp !== undefined) context.sleepers.awake(key)
  if (pipeline === undefined) return undefined
  if (pipeline.metadata.deletionTimestamp !== undefined) return finalize(context, pipeline)
  const { spec, metadata } = pipeline
  if (!hasFinalizer(pipeline, FINALIZER)) return void (await addFinalizer(context, pipeline))

  // Observe.
  const nowMs = context.now()
  const memory = context.memories.of(pipeline)
  const holder = queueHolder(pipeline, context.caches.onQueueOf(pipeline))
  const idle = holder !== undefined || spec.paused
  const { names } = memory.asked
  const broker = await observeBroker(context, pipeline, !idle)
  const values = await context.prometheus.ask(metadata.namespace ?? '', spec.signals.scaling)
  const scaledObjects = await context.keda.look(pipeline)
  for (const [index, look] of broker.looks.entries())
    if (!isSameDepth(memory.looks[index], look)) context.measured(pipeline, look.name, look.ready, look.unacked)
  memory.looks = broker.looks
  const cached = (component: Component) =>
    context.caches.child('deployment', `${metadata.namespace}/${metadata.name}-${component}`)
  const pods = await observeRollouts(context, pipeline, deploymentsOf(cached), memory.rollouts)
  const children = KINDS.flatMap((kind) =>
    context.caches.owned(kind, metadata.uid ?? '').map((object): Owned => ({ kind, object })),
  )

  // With a topology that cannot be, the pods stay with the settings of the one that is.
  const blocked = idle || broker.secretProblem !== undefined || broker.topologyProblem !== undefined
  const keysSecret = keysSecretName(metadata.name, spec)
  // A Deployment of a former pipeline of this name says nothing of keys that may have gone with it.
  const own = (component: Component) => {
    const found = cached(component)
    return found?.metadata.ownerReferences?.some(({ uid }) => uid === metadata.uid) ? found : undefined
  }
  if (!blocked) await context.secrets.ensureKeys(pipeline, mountedVersion(keysSecret, own))
  const versions = blocked ? undefined : await context.secrets.versions(pipeline)

  const leaving = blocked ? [] : await observeDrain(context.pods, pipeline)

  // Decide.
  const shown = pipeline.status?.scaling
  const elsewhere = elsewhereOf(pipeline, { ...scaledObjects, autoscalers: context.caches.autoscalersOf(pipeline) })
  const decision = scalingOf(pipeline, memory, cached('signals'), values, elsewhere, nowMs)
  const { current } = scaleOf(cached('signals'))
  // Pods that were told to go for our number stay when another decides.
  const wanted = elsewhere === undefined ? decision.replicas : current
  const numbers = { current, wanted, before: shown?.drain }
  const drain = blocked
    ? heldDrain(numbers)
    : decideDrain({ ...numbers, pods: leaving, drain: spec.signals.scaling.drain, nowMs })
  const signals = elsewhere === undefined ? drain.replicas : undefined
  const replicas = { producer: spec.producer.replicas, signals, api: spec.api.replicas }
  const sleeps = !blocked && signals === 0 && spec.signals.scaling.provider === 'Native'
  const keys = decideKeys(keysSecret, versions?.keys, cached)
  const secrets = { connections: versions?.connections ?? '', keys }
  const observed: Observed = {
    pipeline,
    blocked,
    brokerKnown: broker.problem === undefined,
    children,
    replicas,
    secrets,
  }
  const observation = observationOf(observed)
  const plan = memory.settled?.observation === observation ? memory.settled.plan : planOf(observed, context.release)
  memory.settled = plan.actions.length === 0 ? { observation, plan } : undefined
  const former = decideFormerQueues(formerRetryQueues(names), broker.looks, plan.settled, memory.formerQueues)
  memory.formerQueues = former.emptySince

  // Apply.
  if (sleeps) context.sleepers.asleep(key, await context.broker(metadata.namespace ?? '', spec), names.queue)
  else context.sleepers.awake(key)
  await tellPods(context.pods, metadata.namespace ?? '', drain, nowMs)
  const { deployments: applied, refusal, ending } = await carryOut(context, plan.actions)
  if (ending) return { afterMs: ENDING_MS }
  context.pipelineMetrics.skipped(plan.skipped)
  if (former.remove.length > 0)
    await removeFormerQueues(await context.broker(metadata.namespace ?? '', spec), former.remove, names.queue, false)
  const deployments = deploymentsOf(cached, applied)
  const scaled =
    elsewhere === undefined && applied.has('signals') && cached('signals') !== undefined && drain.replicas !== current
  recordScaling(context, pipeline, decision, drain, scaled)
  context.pipelineMetrics.draining(pipeline, leaving.filter(({ toldMs }) => toldMs !== undefined).length)

  const monitoring = await context.monitors.ensure(pipeline, blocked)
  const notTaken = blocked ? undefined : await ensureKeda(context, pipeline, elsewhere)

  // Status.
  const rollout = (component: Component) =>
    rolloutOf(
      deployments.get(component),
      replicas[component] ?? numberIn(deployments.get(component)),
      pipeline.status?.components?.[component],
      pods[component],
    )
  const decided = pipeline.status?.conditions?.some(({ type, status }) => type === 'Ready' && status !== 'Unknown')
  const seen = {
    decided: decided === true,
    paused: spec.paused,
    takenBy: holder?.metadata.name,
    secretProblem: broker.secretProblem,
    broker: { reachable: broker.problem === undefined, message: broker.problem ?? 'its management API answers' },
    topologyProblem: broker.topologyProblem,
    monitoring,
    components: { producer: rollout('producer'), signals: rollout('signals'), api: rollout('api') },
    refusal: refusal ?? notTaken,
    kept: { components: plan.kept, image: spec.image || context.release.image },
    // A pause must not let it be forgotten that pods were told to go.
    scaling: !idle ? withDrain(decision.status, shown, drain.status) : shown?.drain && (shown as ScalingStatus),
    unsupported: spec.signals.scaling.provider === 'KEDA' ? unsupportedByKeda(spec.signals.scaling) : [],
  }
  const { running } = scaleOf(deployments.get('signals'))
  await tell(context, pipeline, statusOf(pipeline, seen, broker.depths, running, new Date(nowMs)))
  if (drain.status !== undefined && !blocked) return { afterMs: shown?.drain === undefined ? 0 : DRAIN_LOOK_MS }
  return { afterMs: spec.signals.scaling.pollingInterval * 1000 }
}
