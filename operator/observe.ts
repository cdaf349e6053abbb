import { formerRetryQueues, type Topology, type TopologyNames } from '#contract/topology.ts'
import type { QueueLook } from './cluster/broker.ts'
import type { Depths } from './cluster/depths.ts'
import type { Prometheus } from './cluster/prometheus.ts'
import { SecretProblem, type Secrets } from './cluster/secrets.ts'
import { ensureTopology } from './cluster/topology.ts'
import type { Pipeline } from './decide/pipeline.ts'
import type { Plan } from './decide/plan.ts'
import type { Memory, Sample } from './decide/scaling.ts'
import type { EmptySince } from './decide/topology.ts'
import type { RolloutMemory } from './rollouts.ts'

const SAMPLES_MS = 60_000
const TOPOLOGY_MS = 30_000
const ARCHIVE_MS = 15_000

export type ObserveContext = {
  secrets: Secrets
  depths: Depths
  prometheus: Prometheus
  memories: Memories
  /** Open dead letters in a pipeline's store, or undefined when its API does not say. */
  askOpenLetters: (pipeline: { name: string; namespace?: string }) => Promise<number | undefined>
  now: () => number
}

/** What is kept of a pipeline between two reconciles; lost with the process, and learnt again. */
export type PipelineMemory = {
  samples: Sample[]
  scaling: Memory | undefined
  topology: { generation: number; atMs: number; problem: string | undefined }
  /** Open dead letters in the store. */
  archive: { atMs: number; open: number | undefined }
  /** Since when the queues that a longer ladder left have been empty. */
  formerQueues: EmptySince
  rollouts: RolloutMemory
  /** The last plan that left nothing to do, and what had been observed. */
  settled: { observation: string; plan: Plan } | undefined
}

export type Memories = { of: (pipeline: Pipeline) => PipelineMemory; forget: (uid: string) => void }

export const createMemories = (): Memories => {
  const memories = new Map<string, PipelineMemory>()
  return {
    of: ({ metadata }) => {
      const uid = metadata.uid ?? ''
      const memory = memories.get(uid) ?? {
        samples: [],
        scaling: undefined,
        topology: { generation: -1, atMs: 0, problem: undefined },
        archive: { atMs: 0, open: undefined },
        formerQueues: new Map(),
        rollouts: {},
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
 * four times a minute at most and never waited for: pods that cannot be reached would hold up the other pipelines. Until
 * it has said, only the queue is counted.
 */
const countDeadLetters = (
  { askOpenLetters, now }: Pick<ObserveContext, 'askOpenLetters' | 'now'>,
  pipeline: Pipeline,
  memory: PipelineMemory,
  queues: QueueLook[],
): { deadLetters?: number } => {
  if (now() - memory.archive.atMs > ARCHIVE_MS) {
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

/** What a transport's error says, without ports and addresses that change from one try to the next. */
const messageOf = (error: Error): string =>
  error.cause instanceof Error
    ? `${error.message}: ${(error.cause as Error & { code?: string }).code ?? error.cause.name}`
    : error.message

/**
 * Reads the broker: declares what is missing when `declare`, at most twice a minute unless the spec changed, and looks
 * at the queues. A broker that cannot be asked is a finding, no failure.
 */
export const observeBroker = async (
  context: ObserveContext,
  pipeline: Pipeline,
  topology: Topology,
  names: TopologyNames,
  declare: boolean,
): Promise<BrokerSeen> => {
  const memory = context.memories.of(pipeline)
  const { generation = 0, namespace = '' } = pipeline.metadata
  const nothing = {
    secretProblem: undefined,
    problem: undefined,
    topologyProblem: memory.topology.problem,
    looks: [],
    depths: {},
  }
  try {
    const access = await context.secrets.broker(namespace, pipeline.spec)
    const due = memory.topology.generation !== generation || context.now() - memory.topology.atMs > TOPOLOGY_MS
    if (declare && due)
      memory.topology = { generation, atMs: context.now(), problem: await ensureTopology(access, topology) }
    const all = await context.depths.look(access, pipeline.spec.signals.scaling.pollingInterval * 900)
    const wanted = new Set([
      names.queue,
      ...names.retryQueues,
      ...formerRetryQueues(names),
      names.deadLetterQueue,
      names.parkedQueue,
      names.unrouted,
    ])
    const looks = all.filter(({ name }) => wanted.has(name))
    const main = looks.find(({ name }) => name === names.queue)
    const dead = looks.filter(({ name }) => name === names.deadLetterQueue || name === names.parkedQueue)
    if (main !== undefined && main.atMs !== memory.samples.at(-1)?.atMs)
      memory.samples = [...memory.samples.filter(({ atMs }) => atMs > main.atMs - SAMPLES_MS), main]
    const depths = {
      ...(main !== undefined && { backlog: main.ready + main.unacked }),
      ...countDeadLetters(context, pipeline, memory, dead),
    }
    return { ...nothing, topologyProblem: memory.topology.problem, looks, depths }
  } catch (error) {
    if (error instanceof SecretProblem)
      return { ...nothing, secretProblem: error.message, problem: 'its connection is not known' }
    return { ...nothing, problem: messageOf(error as Error) }
  }
}
