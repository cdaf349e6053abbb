import type { MongoClient } from 'mongodb'
import { histogram, type Metrics } from './metrics.ts'

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5]
const OUTCOMES = ['ok', 'failed'] as const

export type Database = 'mongodb' | 'gridfs' | 'redis'
export type Observe = (database: Database, operation: string, outcome: 'ok' | 'failed', seconds: number) => void

/** Waits for an answer of Redis and says how long it took. */
export type Timed = <T>(operation: string, asked: Promise<T>) => Promise<T>

/**
 * The time that databases take to answer.
 * @param expected what this process asks of them; its series are there from the start
 */
export const createDatabaseMetrics = (registry: Metrics, expected: Partial<Record<Database, string[]>>): Observe => {
  const known = Object.entries(expected).flatMap(([db, operations]) =>
    operations.flatMap((operation) => OUTCOMES.map((outcome) => ({ db, operation, outcome }))),
  )
  const seconds = histogram(
    registry,
    'xray_db_operation_duration_seconds',
    'From a question to a database to its answer; of batches as a whole',
    ['db', 'operation', 'outcome'],
    SECONDS,
    known,
  )
  return (db, operation, outcome, took) => seconds.observe({ db, operation, outcome }, took)
}

/** Times what Redis is asked. */
export const timedRedis =
  (observe: Observe): Timed =>
  async (operation, asked) => {
    const startedAt = performance.now()
    try {
      const answer = await asked
      observe('redis', operation, 'ok', (performance.now() - startedAt) / 1000)
      return answer
    } catch (error) {
      observe('redis', operation, 'failed', (performance.now() - startedAt) / 1000)
      throw error
    }
  }

/** Times every command of a client that was opened with `monitorCommands`; those of the bucket count as GridFS. */
export const timeCommands = (client: MongoClient, observe: Observe): void => {
  const started = new Map<number, { database: Database; atMs: number }>()
  client.on('commandStarted', ({ requestId, commandName, command }) => {
    const collection: unknown = command[commandName]
    const isBucket = typeof collection === 'string' && collection.startsWith('raw_payloads.')
    started.set(requestId, { database: isBucket ? 'gridfs' : 'mongodb', atMs: performance.now() })
  })
  const ended = (requestId: number, operation: string, outcome: 'ok' | 'failed') => {
    const command = started.get(requestId)
    started.delete(requestId)
    if (command !== undefined) observe(command.database, operation, outcome, (performance.now() - command.atMs) / 1000)
  }
  client.on('commandSucceeded', ({ requestId, commandName }) => ended(requestId, commandName, 'ok'))
  client.on('commandFailed', ({ requestId, commandName }) => ended(requestId, commandName, 'failed'))
}
