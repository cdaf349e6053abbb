import { type PipelineSpec, topologySpecOf } from '#contract/pipeline.ts'
import { withLook } from '#contract/scaling/sample.ts'
import { formerRetryQueues, type Topology, type TopologyNames, topologyNames, toTopology } from '#contract/topology.ts'
import { keyOf } from '#kit/resource.ts'
import type { Broker, QueueLook } from './cluster/broker.ts'
import type { Depths } from './cluster/depths.ts'
import type { Prometheus } from './cluster/prometheus.ts'
import { SecretProblem, type Secrets } from './cluster/secrets.ts'
import type { SharedReading } from './cluster/shared-reading.ts'
import type { Sleepers, Waking } from './cluster/sleepers.ts'
import { declareTopology, type TopologyFound } from './cluster/topology.ts'
import type { Pipeline } from './decide/pipeline.ts'
import type { Plan } from './decide/plan.ts'
import type { Memory, Sample } from './decide/scaling.ts'
import type { EmptySince } from './decide/topology.ts'
import type { RolloutMemory } from './rollouts.ts'

const TOPOLOGY_MS = 30_000
/**
 * Upon a reading of this age at most a topology is declared that this process has not declared before. None of its own
 * for each: after a start a thousand pipelines of one broker come at once, and with a reading each of all their queues
 * the operator ran out of memory (300 of them, 128 MB, each time it started). What has changed meanwhile is seen
 * within `TOPOLOGY_MS`.
 */
const NEW_TOPOLOGY_MS = 1_000
const ARCHIVE_MS = 15_000

export type ObserveContext = {
  sleepers: Pick<Sleepers, 'wakingOf'>
  secrets: Secrets
  /** The broker of a pipeline. @throws SecretProblem when a connection Secret is missing or incomplete */
  broker: (namespace: string, spec: PipelineSpec) => Promise<Broker>
  depths: Depths
  topologies: SharedReading<TopologyFound>
  prometheus: Prometheus
  memories: Memories
  /** Open dead letters in a pipeline's store, or undefined when its API does not say. */
  askOpenLetters: (pipeline: { name: string; namespace?: string }) => Promise<number | undefined>
  now: () => number
}

/** What is kept of a pipeline between two reconciles; lost with the process, and learnt again. */
export type PipelineMemory = {
  samples: Sample[]
  /** The last look at its queues. */
  looks: QueueLook[]
  /** What had been published when the pipeline was woken, while its statistics may not show by what. */
  beforeWaking: number | undefined
  scaling: Memory | undefined
  /** What its spec asks of the broker; made anew with each generation. */
  asked: Asked
  /** What was declared, and upon what was found. */
  topology: { declared: string; found: TopologyFound | undefined; problem: string | undefined }
  /** Open dead letters in the store. */
  archive: { atMs: number; open: number | undefined }
  /** Since when the queues that a longer ladder left have been empty. */
  formerQueues: EmptySince
  rollouts: RolloutMemory
  /** When this process last wrote its status. */
  statusAtMs: number | undefined
  /** The last plan that left nothing to do, and what had been observed. */
  settled: { observation: string; plan: Plan } | undefined
}

/** `text` differs whenever something else is to be declared, or elsewhere. */
export type Asked = { generation: number; topology: Topology; names: TopologyNames; queues: string[]; text: string }

export type Memories = { of: (pipeline: Pipeline) => PipelineMemory; forget: (uid: string) => void }

const askedBy = ({ metadata, spec }: Pipeline): Asked => {
  const wanted = topologySpecOf(spec)
  const [topology, names] = [toTopology(wanted), topologyNames(wanted)]
  const { queue, retryQueues, deadLetterQueue, parkedQueue, unrouted } = names
  const queues = [queue, ...retryQueues, ...formerRetryQueues(names), deadLetterQueue, parkedQueue, unrouted]
  const text = JSON.stringify([spec.broker.secretRef.name, spec.broker.vhost, topology])
  return { generation: metadata.generation ?? 0, topology, names, queues: [...new Set(queues)], text }
}

export const createMemories = (): Memories => {
  const memories = new Map<string, PipelineMemory>()
  return {
    of: (pipeline) => {
      const { uid = '', generation = 0 } = pipeline.metadata
      const known = memories.get(uid)
      if (known?.asked.generation === generation) return known
      const asked = askedBy(pipeline)
      if (known !== undefined) return Object.assign(known, { asked })
      const memory: PipelineMemory = {
        samples: [],
        looks: [],
        beforeWaking: undefined,
        scaling: undefined,
        asked,
        topology: { declared: '', found: undefined, problem: undefined },
        archive: { atMs: 0, open: undefined },
        formerQueues: new Map(),
        rollouts: {},
        statusAtMs: undefined,
        settled: undefined,
      }
      memories.set(uid, memory)
      return memory
    },
    forget: (uid) => void memories.delete(uid),
  }
}

export type BrokerSeen = {
  secretProblem: string | undefined
  problem: string | undefined
  topologyProblem: string | undefined
  looks: QueueLook[]
  depths: { backlog?: number; deadLetters?: number }
}

/**
 * Dead letters in all: those that still stand in their queue, and those archived from it that are open. The API is asked
 * four times a minute at most and never waited for: pods that cannot be reached would hold up the other pipelines. One
 * without a ready pod is not asked: looking up its name may take all threads that look up names, for seconds. Until it
 * has said, only the queue is counted.
 */
const countDeadLetters = (
  { askOpenLetters, now }: Pick<ObserveContext, 'askOpenLetters' | 'now'>,
  pipeline: Pipeline,
  memory: PipelineMemory,
  queues: QueueLook[],
): { deadLetters?: number } => {
  const answers = pipeline.status?.components?.api.ready !== 0
  if (answers && now() - memory.archive.atMs > ARCHIVE_MS) {
    memory.archive.atMs = now()
    void askOpenLetters(pipeline.metadata).then((open) => {
      memory.archive.open = open
    })
  }
  if (queues.length === 0) return {}
  return {
    deadLetters: queues.reduce((sum, { ready, unacked }) => sum + ready + unacked, memory.archive.open ?? 0),
  }
}

/**
 * A look at a queue with what woke its pipeline, until the statistics show that, too: without, the queue would look empty
 * again to the next decision. What was published never goes back, as of a broker that began again.
 * @param before messages that the statistics had counted as published when it was woken
 */
export const awoken = (look: QueueLook, waking: Waking, before: number): QueueLook => {
  const missing = before + waking.ready - look.published
  if (missing <= 0) return look
  const atMs = Math.max(look.atMs, waking.atMs)
  return { ...look, ready: look.ready + missing, published: look.published + missing, atMs }
}

/**
 * Reads the broker: declares what is missing when `declare`, upon each reading of the virtual host, two a minute for all
 * of its pipelines, or upon a newer one when the spec asks for something else; and looks at the queues. A broker that
 * cannot be asked is a finding, no failure.
 */
export const observeBroker = async (
  context: ObserveContext,
  pipeline: Pipeline,
  declare: boolean,
): Promise<BrokerSeen> => {
  const memory = context.memories.of(pipeline)
  const { topology, names, queues, text } = memory.asked
  const nothing = {
    secretProblem: undefined,
    problem: undefined,
    topologyProblem: memory.topology.problem,
    looks: [],
    depths: {},
  }
  try {
    const broker = await context.broker(pipeline.metadata.namespace ?? '', pipeline.spec)
    if (declare) {
      const changed = memory.topology.declared !== text
      const found = await context.topologies(broker, changed ? NEW_TOPOLOGY_MS : TOPOLOGY_MS)
      if (changed || found !== memory.topology.found)
        memory.topology = { declared: text, found, problem: await declareTopology(broker, topology, found) }
    }
    const { pollingInterval } = pipeline.spec.signals.scaling
    const all = await context.depths.look(broker, pollingInterval * 900)
    const looks = queues.flatMap((name) => all.get(name) ?? [])
    const told = looks.find(({ name }) => name === names.queue)
    const waking = context.sleepers.wakingOf(keyOf(pipeline))
    memory.beforeWaking =
      waking === undefined ? undefined : (memory.beforeWaking ?? memory.samples.at(-1)?.published ?? told?.published)
    const main = told && waking ? awoken(told, waking, memory.beforeWaking ?? told.published) : told
    const dead = looks.filter(({ name }) => name === names.deadLetterQueue || name === names.parkedQueue)
    if (main !== undefined) memory.samples = withLook(memory.samples, main, pollingInterval)
    const depths = {
      ...(main !== undefined && { backlog: main.ready + main.unacked }),
      ...countDeadLetters(context, pipeline, memory, dead),
    }
    return { ...nothing, topologyProblem: memory.topology.problem, looks, depths }
  } catch (error) {
    if (error instanceof SecretProblem)
      return { ...nothing, secretProblem: error.message, problem: 'its connection is not known' }
    return { ...nothing, problem: (error as Error).message }
  }
}
