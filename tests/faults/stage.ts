import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ChannelModel } from 'amqplib'
import type { Redis } from 'ioredis'
import type { Db, MongoClient } from 'mongodb'
import { DEFAULTS, type PipelineSpec } from '#contract/pipeline.ts'
import { type Topology, type TopologyNames, topologyNames, toTopology } from '#contract/topology.ts'
import { settingsOf } from '../../operator/decide/environment.ts'
import { openProxy, type Proxy as TcpProxy } from '../network/proxy.ts'
import { must, within } from './condition.ts'
import { collectDeadLetters, collectStored, depthOf, emptyQueues } from './end-state.ts'
import { type Load, type LoadOptions, startLoad } from './load.ts'
import { type Counters, judge, type LedgerEntry, type Sheet } from './oracle.ts'
import { type Component, type Process, startProcess } from './processes.ts'
import { type Edit, toNodeOptions } from './sabotage.ts'
import { findServers, openAmqp, openMongo, openRedisDatabase, type Server, type Servers } from './servers.ts'
import { declare, undeclare } from './topology.ts'

/** A ladder that is climbed in 2 s instead of 8: what a test waits for, it waits for as short as it can. */
const SHORT_RETRY = { maxRetries: 3, delaysMs: [200, 400, 800, 1600], jitterMs: 100 }
/** Of Redis's 16 databases, the one that the product never uses; a run empties it. */
const REDIS_DATABASE = 9
const DRAIN_LIMIT_MS = 60_000

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
  network: Record<'producer' | 'signals' | 'store' | 'redis', TcpProxy>
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
  /** The control's edits for a component, for a process that the stage does not start. */
  nodeOptions: (component: Component) => string | undefined
  /** To be done after the drain: ends consumers that the stage did not start. */
  beforeCollecting: (end: () => Promise<void>) => void
}

type Parts = {
  stage: Stage
  loads: Load[]
  own: LedgerEntry[]
  violations: string[]
  endings: (() => Promise<void>)[]
  /** Messages that no producer counted. */
  published: number
  counted: boolean
}

const sum = async (processes: Process[], name: string, labels: Record<string, string>): Promise<number> =>
  (await Promise.all(processes.map((one) => one.metric(name, labels)))).reduce((total, value) => total + value, 0)

const readCounters = async (processes: Process[], published: number): Promise<Counters> => {
  const running = processes.filter(({ running }) => running())
  const [producers, signals] = (['producer', 'signals'] as const).map((component) =>
    running.filter((one) => one.component === component),
  ) as [Process[], Process[]]
  const ended = (outcome: string) => sum(signals, 'xray_signals_messages_total', { outcome })
  return {
    confirmed: published + (await sum(producers, 'xray_producer_messages_total', { outcome: 'confirmed' })),
    stored: await ended('stored'),
    duplicates: await ended('duplicate'),
    deadLettered: await ended('dead_lettered'),
  }
}

/** Waits until nothing is on its way any more, or nothing has changed for `stuckMs`, but at most 60 s. */
const drain = async ({ stage, loads, own, counted, published }: Parts, stuckMs: number): Promise<void> => {
  const queues = emptyQueues(stage.names)
  let [last, since] = ['', performance.now()]
  await within(DRAIN_LIMIT_MS, async () => {
    const depths = await Promise.all(queues.map((queue) => stage.depth(queue)))
    const [signals, dead] = [
      await stage.db.collection('signals').countDocuments(),
      (await stage.depth(stage.names.deadLetterQueue)) + (await stage.depth(stage.names.parkedQueue)),
    ]
    const wanted = [...loads.flatMap(({ ledger }) => ledger), ...own].filter(({ accepted }) => accepted).length
    const counters = counted ? await readCounters(stage.processes, published) : undefined
    const balanced =
      counters === undefined || counters.confirmed === counters.stored + counters.duplicates + counters.deadLettered
    if (depths.every((depth) => depth === 0) && signals + dead >= wanted && balanced) return true
    const now = JSON.stringify([depths, signals, dead, counters])
    if (now !== last) [last, since] = [now, performance.now()]
    return performance.now() - since > stuckMs ? true : undefined
  })
}

const finish = async (parts: Parts, stuckMs: number): Promise<Sheet> => {
  const { stage, loads, own, violations } = parts
  for (const load of loads) await load.done
  await drain(parts, stuckMs)
  const { counted, published } = parts
  const counters = counted ? await readCounters(stage.processes, published) : undefined
  for (const end of parts.endings.splice(0)) await end()
  for (const one of stage.processes.filter(({ running }) => running())) {
    const code = await one.stop()
    if (code !== 0) violations.push(`fault: ${one.component} ended with ${code} on SIGTERM: ${one.log().slice(-2)}`)
  }
  const broker = await stage.broker()
  const depths: Record<string, number> = {}
  for (const queue of emptyQueues(stage.names)) depths[queue] = await depthOf(broker, queue)
  const sheet = judge({
    ledger: [...loads.flatMap(({ ledger }) => ledger), ...own],
    ...(await collectStored(stage.db)),
    deadLetters: await collectDeadLetters(broker, stage.db, stage.names),
    depths,
    longestGapMs: Math.max(0, ...loads.map((load) => load.longestGapMs())),
    ...(counters !== undefined && { counters }),
  })
  return { ...sheet, violations: [...violations, ...sheet.violations] }
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

/** Keeps one connection to the broker, made anew when the broker was away. */
const keepBroker = (server: Server, lost: () => void) => {
  let current: Promise<ChannelModel> | undefined
  return {
    get: (): Promise<ChannelModel> => {
      current ??= openAmqp(server).then(
        (model) => {
          model.on('close', () => {
            current = undefined
            lost()
          })
          return model
        },
        (error: Error) => {
          current = undefined
          throw error
        },
      )
      return current
    },
    close: async () => (await current)?.close(),
  }
}

const removeAll = async (broker: ChannelModel, client: MongoClient, redis: Redis, topology: Topology, name: string) => {
  await undeclare(broker, topology)
  await client.db(name).dropDatabase()
  await redis.flushdb()
}

/** What a run left behind; nothing may be. */
const leftBehind = async (client: MongoClient, stage: Stage): Promise<string[]> => {
  const databases = (await client.db('admin').admin().listDatabases({ nameOnly: true })).databases
  const queues = await Promise.all(
    stage.topology.queues.map(async ({ name }) => ((await stage.depth(name).catch(() => -1)) === -1 ? [] : [name])),
  )
  return [
    ...databases.filter(({ name }) => name === stage.names.exchange.replace(/\.xray$/, '')).map(({ name }) => name),
    ...queues.flat(),
    ...stage.processes.filter(({ running }) => running()).map(({ component, pid }) => `${component} ${pid}`),
  ].map((left) => `fault: left behind: ${left}`)
}

/**
 * Sets a pipeline up, runs a fault on it, judges the end and removes everything.
 * @throws Error when the run itself could not be carried through: that is no verdict
 */
export const withStage = async (options: StageOptions, run: (stage: Stage) => Promise<void>): Promise<Sheet> => {
  const { name, control } = options
  const spec = specOf(options)
  const topologySpec = { ...spec.broker, ...spec.retry, maxLengthBytes: Number(spec.broker.maxLengthBytes) }
  const [topology, names] = [toTopology(topologySpec), topologyNames(topologySpec)]
  const servers = await findServers()
  const [client, redis] = [openMongo(servers.store), openRedisDatabase(servers.redis, REDIS_DATABASE)]
  // A broker that went away, whoever's doing it was, has delivered again what was counted already.
  const broker = keepBroker(servers.rabbitmq, () => stage.uncount())
  const network = {
    producer: await openProxy(servers.rabbitmq.address),
    signals: await openProxy(servers.rabbitmq.address),
    store: await openProxy(servers.store.address),
    redis: await openProxy(servers.redis.address),
  }
  const keysFolder = mkdtempSync(join(tmpdir(), 'xrayiot-fault-keys-'))
  const via = ({ port }: TcpProxy) => ({ host: '127.0.0.1', port })
  const [deviceMaster, messageKey] = [randomBytes(32), randomBytes(32)]
  const [loads, own, violations]: [Load[], LedgerEntry[], string[]] = [[], [], []]
  const endings: (() => Promise<void>)[] = []
  const setKey: Stage['setKey'] = (component, file, key) => {
    mkdirSync(join(keysFolder, component), { recursive: true })
    const path = join(keysFolder, component, file)
    if (key === undefined) rmSync(path)
    else writeFileSync(path, key.toString('hex'))
  }
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
      const started = await startProcess(component, {
        ...settingsOf({ metadata: { name, namespace: 'xray' }, spec } as Parameters<typeof settingsOf>[0], component),
        AMQP_URI: servers.rabbitmq.uriVia(via(network[component])),
        MONGODB_URI: servers.store.uriVia(via(network.store)),
        REDIS_URI: `${servers.redis.uriVia(via(network.redis))}/${REDIS_DATABASE}`,
        KEYS_DIR: join(keysFolder, component),
        ...(all.length > 0 && { NODE_OPTIONS: toNodeOptions(all, killAt) }),
        ...env,
      })
      stage.processes.push(started)
      return started
    },
    kill: async (process) => {
      parts.counted = false
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
      parts.published += count
    },
    drained: () => drain(parts, options.stuckMs),
    expect: (holds, otherwise) => void (holds || violations.push(`fault: ${otherwise}`)),
    uncount: () => {
      parts.counted = false
    },
    depth: async (queue) => depthOf(await broker.get(), queue),
    nodeOptions: (component) => (control?.of === component ? toNodeOptions(control.edits, 1) : undefined),
    beforeCollecting: (end) => void endings.push(end),
  }
  const parts: Parts = { stage, loads, own, violations, endings, published: 0, counted: true }
  for (const component of ['producer', 'signals'] as const) setKey(component, 'message-p1', messageKey)
  setKey('producer', 'device-master-k1', deviceMaster)
  try {
    await removeAll(await broker.get(), client, redis, topology, name) // what a run that was cut off has left
    await declare(await broker.get(), topology)
    await run(stage)
    const sheet = await finish(parts, options.stuckMs)
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
    rmSync(keysFolder, { recursive: true })
    await client.close()
    redis.disconnect()
    await broker.close()
  }
}
