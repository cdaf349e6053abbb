import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { address, secret } from '../../e2e/cluster.ts'
import type { Pace, Tally } from './pace.ts'
import type { Plan as ReadPlan } from './reader.ts'
import type { Plan as SendPlan } from './sender.ts'

const PACE = { connections: 64, rate: 0, most: Number.POSITIVE_INFINITY }
/** 130 points are about 8 KB. */
const FLEET = { devices: 200, points: 130 }

type Timing = { seconds: number } & Partial<Omit<Pace, 'host' | 'port' | 'seconds'>>

/** Runs a generator to its end. @throws Error when it ends without an answer */
const tallyOf = async (generator: 'sender' | 'reader', plan: SendPlan | ReadPlan): Promise<Tally> => {
  const child = fork(join(import.meta.dirname, `${generator}.ts`), { serialization: 'advanced' })
  child.send(plan)
  const answered = once(child, 'message') as Promise<[Tally]>
  const failed = once(child, 'exit').then(([code]) => {
    throw new Error(`the load generator ended early with ${code}`)
  })
  const [tally] = await Promise.race([answered, failed])
  return tally
}

/** Posts recordings to a pipeline's producer. */
export const post = async (pipeline: string, timing: Timing): Promise<Tally> =>
  tallyOf('sender', {
    ...PACE,
    ...FLEET,
    ...timing,
    host: await address(`${pipeline}-producer`),
    port: 8080,
    masterHex: await secret(`${pipeline}-keys`, 'device-master-k1'),
  })

/** Reads from a pipeline's API. */
export const get = async (pipeline: string, paths: string[], timing: Timing): Promise<Tally> =>
  tallyOf('reader', {
    ...PACE,
    ...timing,
    paths,
    host: await address(`${pipeline}-api`),
    port: 8080,
    token: await secret(`${pipeline}-keys`, 'api-admin-token'),
  })

/** The value below which that part of ascending values lies; one decimal. */
const quantile = (ascending: readonly number[], part: number): number =>
  Math.round((ascending[Math.min(ascending.length - 1, Math.floor(ascending.length * part))] ?? 0) * 10) / 10

export const quantiles = (ascending: readonly number[]) => ({
  p50: quantile(ascending, 0.5),
  p95: quantile(ascending, 0.95),
  p99: quantile(ascending, 0.99),
  max: quantile(ascending, 1),
})
