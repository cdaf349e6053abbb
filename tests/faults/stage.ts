import { randomBytes } from 'node:crypto'
import type { ChannelModel } from 'amqplib'
import type { Redis } from 'ioredis'
import type { Db } from 'mongodb'
import { DEFAULTS, type PipelineSpec, topologySpecOf } from '#contract/pipeline.ts'
import { type Topology, type TopologyNames, topologyNames, toTopology } from '#contract/topology.ts'
import { openProxy, type Proxy as TcpProxy } from '../network/proxy.ts'
import { must } from '../stand/condition.ts'
import { openKeysFolder } from '../stand/keys-folder.ts'
import { findServers, REDIS_DATABASE, type Servers } from '../stand/servers.ts'
import { environmentOf } from '../stand/service-environment.ts'
import { type Component, type Process, startProcess } from '../stand/service-process.ts'
import { declare } from '../stand/topology.ts'
import { keepBroker, openMongo, openRedisDatabase } from './connections.ts'
import { countDeadLetters, depthOf } from './end-state.ts'
import { drain, finish, type Run } from './ending.ts'
import { leftBehind, removeAll } from './leftovers.ts'
import { type Load, type LoadOptions, startLoad } from './load.ts'
import type { LedgerEntry, Sheet } from './oracle.ts'
import { type Edit, toNodeOptions } from './sabotage.ts'

/** A ladder that is climbed in 2 s instead of 8: what a test waits for, it waits for as short as it can. */
const SHORT_RETRY = { maxRetries: 3, delaysMs: [200, 400, 800, 1600], jitterMs: 100 }

export type StageOptions = {
  /** Prefix of every name on every server. */
  name: string
  retry?: PipelineSpec['retry']
  maxLengthBytes?: number
  /** What a negative control changes in every process of a component. */
  control?: { of: Component; edits: readonly Edit[] }
  /** How long nothing may change in the drain before it is taken for stuck. */
  stuckMs: number
}

export type StartOptions = { edits?: readonly Edit[]; killAt?: number; env?: Record<string, string> }

/** A pipeline of its own on the cluster's servers, whose services run on this machine. */
export type Stage = {
  names: TopologyNames
  topology: Topology
  servers: Servers
  /** What flows between the services and each server; a broker's proxy for each service. */
  network: Record<Component | 'store' | 'redis', TcpProxy>
  broker: () => Promise<ChannelModel>
  db: Db
  redis: Redis
  deviceMaster: Buffer
  messageKeys: Record<string, Buffer>
  /** Writes or, without a key, removes a key file of a component. */
  setKey: (component: Component, file: string, key: Buffer | undefined) => void
  start: (component: Component, options?: StartOptions) => Promise<Process>
  /** Kills a process without notice; its counts go with it. */
  kill: (process: Process) => Promise<void>
  processes: Process[]
  load: (options: Partial<LoadOptions> & Pick<LoadOptions, 'messages' | 'ratePerSecond'>) => Load
  /** Adds messages that the test itself sent. */
  record: (...entries: LedgerEntry[]) => void
  /** Says that the test put so many messages on the broker itself, copies included: no producer counts them. */
  published: (count: number) => void
  /** Waits until nothing is on its way any more. */
  drained: () => Promise<void>
  /** A fault's own expectation: what does not hold is a violation on the sheet. */
  expect: (holds: boolean, otherwise: string) => void
  /** Says that the counters cannot add up: a connection was lost, so that a message was counted twice. */
  uncount: () => void
  depth: (queue: string) => Promise<number>
  /** Dead letters in their queues and in the archive. */
  deadLetters: () => Promise<number>
  /** The control's edits for a component, for a process that the stage does not start. */
  nodeOptions: (component: Component) => string | undefined
  /** To be done after the drain: ends consumers that the stage did not start. */
  beforeCollecting: (end: () => Promise<void>) => void
}

const specOf = ({ name, retry, maxLengthBytes }: StageOptions): PipelineSpec => ({
  ...DEFAULTS,
  broker: {
    ...DEFAULTS.broker,
    exchange: `${name}.xray`,
    queue: `${name}.raw.q`,
    deadLetterExchange: `${name}.dlx`,
    maxLengthBytes: String(maxLengthBytes ?? 2 ** 30),
  },
  store: { ...DEFAULTS.store, database: name },
  retry: retry ?? SHORT_RETRY,
  producer: { ...DEFAULTS.producer, rateLimit: { perDevicePerMinute: 1_000_000 } },
})

/**
 * Sets a pipeline up, runs a fault on it, judges the end and removes everything.
 * @throws Error when the run itself could not be carried through: that is no verdict
 */
export const withStage = async (options: StageOptions, run: (stage: Stage) => Promise<void>): Promise<Sheet> => {
  const { name, control } = options
  const spec = specOf(options)
  const topologySpec = topologySpecOf(spec)
  const [topology, names] = [toTopology(topologySpec), topologyNames(topologySpec)]
  const servers = await findServers()
  const [client, redis] = [openMongo(servers.store), openRedisDatabase(servers.redis, REDIS_DATABASE)]
  // A broker that went away, whoever's doing it was, has delivered again what was counted already.
  const broker = keepBroker(servers.rabbitmq, () => stage.uncount())
  const network = {
    producer: await openProxy(servers.rabbitmq.address),
    signals: await openProxy(servers.rabbitmq.address),
    api: await openProxy(servers.rabbitmq.address),
    store: await openProxy(servers.store.address),
    redis: await openProxy(servers.redis.address),
  }
  const keys = openKeysFolder()
  const via = ({ port }: TcpProxy) => ({ host: '127.0.0.1', port })
  const urisOf = (component: Component) => ({
    amqp: servers.rabbitmq.uriVia(via(network[component])),
    store: servers.store.uriVia(via(network.store)),
    redis: `${servers.redis.uriVia(via(network.redis))}/${REDIS_DATABASE}`,
  })
  const [deviceMaster, messageKey] = [randomBytes(32), randomBytes(32)]
  const [loads, own, violations]: [Load[], LedgerEntry[], string[]] = [[], [], []]
  const endings: (() => Promise<void>)[] = []
  const setKey: Stage['setKey'] = (component, file, key) => keys.set(component, file, key?.toString('hex'))
  const stage: Stage = {
    names,
    topology,
    servers,
    network,
    broker: broker.get,
    db: client.db(name),
    redis,
    deviceMaster,
    messageKeys: { p1: messageKey },
    setKey,
    processes: [],
    start: async (component, { edits = [], killAt = 1, env = {} } = {}) => {
      const all = [...(control?.of === component ? control.edits : []), ...edits]
      const options = [all.length > 0 ? toNodeOptions(all, killAt) : '', env.NODE_OPTIONS ?? '']
      const started = await startProcess(component, {
        ...environmentOf(name, spec, component, urisOf(component), keys),
        ...env,
        NODE_OPTIONS: options.join(' '),
      })
      stage.processes.push(started)
      return started
    },
    kill: async (process) => {
      current.counted = false
      await process.kill()
    },
    load: (load) => {
      const started = startLoad({
        targets: () =>
          stage.processes
            .filter((one) => one.component === 'producer' && one.running())
            .map((one) => ({ host: '127.0.0.1', port: one.httpPort })),
        seed: `${name}${Math.random()}`,
        master: deviceMaster,
        keyId: 'k1',
        patienceMs: 30_000,
        ...load,
      })
      loads.push(started)
      return started
    },
    record: (...entries) => void own.push(...entries),
    published: (count) => {
      current.published += count
    },
    drained: () => drain(current, options.stuckMs),
    expect: (holds, otherwise) => void (holds || violations.push(`fault: ${otherwise}`)),
    uncount: () => {
      current.counted = false
    },
    depth: async (queue) => depthOf(await broker.get(), queue),
    deadLetters: async () => countDeadLetters(await broker.get(), client.db(name), names),
    nodeOptions: (component) => (control?.of === component ? toNodeOptions(control.edits, 1) : undefined),
    beforeCollecting: (end) => void endings.push(end),
  }
  const current: Run = { stage, loads, own, violations, endings, published: 0, counted: true }
  for (const component of ['producer', 'signals'] as const) setKey(component, 'message-p1', messageKey)
  setKey('producer', 'device-master-k1', deviceMaster)
  try {
    await removeAll(await broker.get(), client, redis, topology, name) // what a run that was cut off has left
    await declare(await broker.get(), topology)
    await run(stage)
    const sheet = await finish(current, options.stuckMs)
    await removeAll(await broker.get(), client, redis, topology, name)
    return { ...sheet, violations: [...sheet.violations, ...(await leftBehind(client, stage))] }
  } finally {
    for (const load of loads) load.close()
    for (const end of endings) await end()
    for (const one of stage.processes.filter(({ running }) => running())) await one.kill()
    await must('the broker to answer', 60_000, async () => {
      await removeAll(await broker.get(), client, redis, topology, name)
      return true
    })
    for (const proxy of Object.values(network)) await proxy.close()
    keys.close()
    await client.close()
    redis.disconnect()
    await broker.close()
  }
}
