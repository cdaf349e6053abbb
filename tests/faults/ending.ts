import { within } from '../stand/condition.ts'
import type { Servers } from '../stand/servers.ts'
import type { Process } from '../stand/service-process.ts'
import { collectDeadLetters, collectStored, depthOf, emptyQueues } from './end-state.ts'
import type { Load } from './load.ts'
import { type Counters, judge, type LedgerEntry, type Sheet } from './oracle.ts'
import type { Stage } from './stage.ts'

const DRAIN_LIMIT_MS = 60_000

/** A run as it goes: what it sent, what it found wrong, and whether its counters still count. */
export type Run = {
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
export const drain = async ({ stage, loads, own, counted, published }: Run, stuckMs: number): Promise<void> => {
  const queues = emptyQueues(stage.names)
  let [last, since] = ['', performance.now()]
  await within(DRAIN_LIMIT_MS, async () => {
    const depths = await Promise.all(queues.map((queue) => stage.depth(queue)))
    const [signals, dead] = [await stage.db.collection('signals').countDocuments(), await stage.deadLetters()]
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

const passwords = (servers: Servers): string[] => Object.values(servers).map(({ uri }) => new URL(uri).password)

/** Drains, ends every process, collects what there is and judges it. */
export const finish = async (run: Run, stuckMs: number): Promise<Sheet> => {
  const { stage, loads, own, violations } = run
  for (const load of loads) await load.done
  await drain(run, stuckMs)
  const { counted, published } = run
  const counters = counted ? await readCounters(stage.processes, published) : undefined
  for (const end of run.endings.splice(0)) await end()
  for (const one of stage.processes.filter(({ running }) => !running())) {
    const how = await one.ended
    if (how !== 'SIGKILL' && how !== 0) violations.push(`fault: ${one.component} ended by itself with ${how}`)
  }
  for (const one of stage.processes.filter(({ running }) => running())) {
    const code = await one.stop()
    if (code !== 0) violations.push(`fault: ${one.component} ended with ${code} on SIGTERM: ${one.log().slice(-2)}`)
  }
  for (const one of stage.processes)
    if (passwords(stage.servers).some((password) => one.log().join('\n').includes(password)))
      violations.push(`fault: the log of ${one.component} tells a password`)
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
