import type { Collection, Db, Document } from 'mongodb'
import { CLOSED_DAYS, type DeadLetterFilter, type DeadLetterPlace } from './dead-letter-store.ts'
import { ensureExpiry } from './retention.ts'

export const OPERATION_KINDS = ['replay', 'discard'] as const
export type OperationKind = (typeof OPERATION_KINDS)[number]
export type OperationState = 'running' | 'done' | 'cancelled' | 'failed'

/** Work on many dead letters as it stands in the collection `operations`; whoever holds its lease executes it. */
export type OperationDocument = {
  _id: string
  kind: OperationKind
  filter: DeadLetterFilter
  limit: number
  ratePerSecond: number
  /** Why they are discarded. */
  note?: string
  state: OperationState
  /** How many matched when it was asked for, at most `limit`. */
  total: number
  done: number
  failed: number
  startedAt: Date
  endedAt?: Date
  /** Everything up to here was tried. */
  checkpoint?: DeadLetterPlace
  leaseOwner: string
  leaseUntil: Date
  errors: { id: string; error: string }[]
  expireAt?: Date
}

export type Operations = Collection<OperationDocument>

export type Progress = Pick<OperationDocument, 'done' | 'failed' | 'errors'> & { checkpoint?: DeadLetterPlace }

/** Errors beyond these are counted and not kept. */
export const MOST_ERRORS = 20
const LEASE_MS = 15_000
const DAY_MS = 86_400_000
const READ = { timeoutMS: 5_000 }
const WRITE = { writeConcern: { w: 'majority', wtimeoutMS: 10_000 } } as const

export const operationsOf = (db: Db): Operations => db.collection('operations')

export const ensureOperationIndexes = async (operations: Operations): Promise<void> => {
  await operations.createIndexes([{ key: { state: 1, leaseUntil: 1 } }, { key: { startedAt: -1, _id: -1 } }])
  await ensureExpiry({ collection: operations as unknown as Collection<Document>, field: 'expireAt', seconds: 0 })
}

/** Writes down an operation; nobody holds its lease yet. */
export const createOperation = async (
  operations: Operations,
  asked: Pick<OperationDocument, '_id' | 'kind' | 'filter' | 'limit' | 'ratePerSecond' | 'note' | 'total'>,
  now: Date,
): Promise<OperationDocument> => {
  const operation: OperationDocument = {
    ...asked,
    state: 'running',
    done: 0,
    failed: 0,
    startedAt: now,
    leaseOwner: '',
    leaseUntil: new Date(0),
    errors: [],
  }
  await operations.insertOne(operation, WRITE)
  return operation
}

export const findOperation = (operations: Operations, id: string): Promise<OperationDocument | null> =>
  operations.findOne({ _id: id }, READ)

/** Newest first. */
export const listOperations = (operations: Operations, limit: number): Promise<OperationDocument[]> =>
  operations.find({}, READ).sort({ startedAt: -1, _id: -1 }).limit(limit).toArray()

/** Takes a running operation whose lease nobody holds, or whose holder has not renewed it; undefined when there is none. */
export const claimOperation = async (
  operations: Operations,
  owner: string,
  nowMs: number,
): Promise<OperationDocument | undefined> =>
  (await operations.findOneAndUpdate(
    { state: 'running', leaseUntil: { $lt: new Date(nowMs) } },
    { $set: { leaseOwner: owner, leaseUntil: new Date(nowMs + LEASE_MS) } },
    { ...WRITE, sort: { leaseUntil: 1 }, returnDocument: 'after' },
  )) ?? undefined

const held = (id: string, owner: string) => ({ _id: id, leaseOwner: owner, state: 'running' as const })

/** @returns false when another holds the lease, or the operation was cancelled */
export const renewLease = async (operations: Operations, id: string, owner: string, nowMs: number): Promise<boolean> =>
  (await operations.updateOne(held(id, owner), { $set: { leaseUntil: new Date(nowMs + LEASE_MS) } }, WRITE))
    .matchedCount === 1

/** Gives the lease back, so that another takes over at once. */
export const releaseLease = async (operations: Operations, id: string, owner: string): Promise<void> =>
  void (await operations.updateOne(held(id, owner), { $set: { leaseUntil: new Date(0) } }, WRITE))

/** @returns false when another holds the lease, or the operation was cancelled */
export const saveProgress = async (
  operations: Operations,
  id: string,
  owner: string,
  progress: Progress,
): Promise<boolean> => (await operations.updateOne(held(id, owner), { $set: progress }, WRITE)).matchedCount === 1

/**
 * Ends a running operation.
 * @param owner only when this one holds its lease; undefined ends it whoever does
 * @returns false when it was not running any more
 */
export const endOperation = async (
  operations: Operations,
  id: string,
  state: Exclude<OperationState, 'running'>,
  now: Date,
  owner?: string,
): Promise<boolean> => {
  const which = owner === undefined ? { _id: id, state: 'running' as const } : held(id, owner)
  const set = { state, endedAt: now, expireAt: new Date(now.getTime() + CLOSED_DAYS * DAY_MS) }
  return (await operations.updateOne(which, { $set: set }, WRITE)).matchedCount === 1
}
