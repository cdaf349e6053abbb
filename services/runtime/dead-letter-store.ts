import { Binary, type Collection, type Db, type Document, type Filter, ObjectId } from 'mongodb'
import { type DeadLetterFacts, type DeadLetterReason, deadLetterIdHex } from '#contract/dead-letter.ts'
import { sha256Hex } from '#contract/digest.ts'
import { type Envelope, writeEnvelope } from '#contract/envelope-text.ts'
import { ensureExpiry } from './retention.ts'
import { insertNew } from './signal-store.ts'

export const DEAD_LETTER_STATES = ['open', 'replayed', 'discarded'] as const
export type DeadLetterState = (typeof DEAD_LETTER_STATES)[number]

/** A dead letter as it stands in the collection `dead_letters`. */
export type DeadLetterDocument = {
  _id: ObjectId
  /** Empty when the message names none. */
  messageId: string
  deviceId?: string
  reason: DeadLetterReason
  detail: string
  attempt: number
  /** How often it was replayed before it died this time. */
  replays: number
  /** It failed again after a replay. */
  parked: boolean
  firstFailedAt?: Date
  receivedAt?: Date
  archivedAt: Date
  /** Properties and headers, by `writeEnvelope`. */
  envelope: string
  body: Binary
  bodyBytes: number
  bodySha256: string
  /** Body or headers are not kept whole; it cannot be replayed. */
  truncated: boolean
  state: DeadLetterState
  stateAt?: Date
  /** Why it was discarded. */
  note?: string
  operationId?: string
  /** Set when it is open no longer. */
  expireAt?: Date
}

/** What the list shows: everything but what may be large. */
export type DeadLetterRow = Omit<DeadLetterDocument, 'body' | 'envelope'>

export type DeadLetters = Collection<DeadLetterDocument>

/** Which dead letters are meant; empty lists mean all. Times are those of the archiving, half-open, ms. */
export type DeadLetterFilter = {
  reasons: DeadLetterReason[]
  deviceIds: string[]
  fromMs?: number
  toMs?: number
  parked?: boolean
}

/** A place in the order of archiving. */
export type DeadLetterPlace = { archivedAt: Date; id: ObjectId }

/** What the chart's broker takes, so that what is kept whole can be replayed; a recording has at most 261,120 bytes. */
const MOST_BODY_BYTES = 2 ** 20
/** How long a dead letter is kept after it was replayed or discarded. */
export const CLOSED_DAYS = 30
const DAY_MS = 86_400_000
const READ = { timeoutMS: 5_000 }
const WRITE = { writeConcern: { w: 'majority', wtimeoutMS: 10_000 } } as const

export const deadLettersOf = (db: Db): DeadLetters => db.collection('dead_letters')

/** Makes the indexes of the list's filters, of operations and of retention. Open dead letters never expire. */
export const ensureDeadLetterIndexes = async (letters: DeadLetters): Promise<void> => {
  const order = { archivedAt: -1, _id: -1 } as const
  await letters.createIndexes([
    { key: { state: 1, ...order } },
    { key: { state: 1, reason: 1, ...order } },
    { key: { state: 1, deviceId: 1, ...order } },
    { key: { messageId: 1 } },
    { key: { operationId: 1 } },
  ])
  await ensureExpiry({ collection: letters as unknown as Collection<Document>, field: 'expireAt', seconds: 0 })
}

/** The document of a message that was taken off the dead letters. */
export const toDeadLetter = (
  envelope: Envelope,
  body: Buffer,
  facts: DeadLetterFacts,
  parked: boolean,
  now: Date,
): DeadLetterDocument => {
  const { firstFailedAtMs, receivedAtMs, ...plain } = facts
  const bodySha256 = sha256Hex(body)
  const { text, exact } = writeEnvelope(envelope)
  return {
    _id: new ObjectId(deadLetterIdHex(envelope.messageId ?? '', bodySha256, facts)),
    messageId: envelope.messageId ?? '',
    ...plain,
    parked: parked || facts.replays > 0,
    ...(firstFailedAtMs !== undefined && { firstFailedAt: new Date(firstFailedAtMs) }),
    ...(receivedAtMs !== undefined && { receivedAt: new Date(receivedAtMs) }),
    archivedAt: now,
    envelope: text,
    body: new Binary(body.subarray(0, MOST_BODY_BYTES)),
    bodyBytes: body.length,
    bodySha256,
    truncated: !exact || body.length > MOST_BODY_BYTES,
    state: 'open',
  }
}

/**
 * Stores dead letters with majority. One that is there already stays as it is, whatever became of it.
 * @returns those that are new
 * @throws the driver's error; then nothing is known of any, and all may be stored again
 */
export const archive = async (letters: DeadLetters, documents: DeadLetterDocument[]): Promise<DeadLetterDocument[]> => {
  const known = await insertNew(letters, documents)
  return documents.filter((_, index) => !known.has(index))
}

const filterOf = (
  { reasons, deviceIds, fromMs, toMs, parked }: DeadLetterFilter,
  state: DeadLetterState,
): Filter<DeadLetterDocument> => ({
  state,
  ...(reasons.length > 0 && { reason: { $in: reasons } }),
  ...(deviceIds.length > 0 && { deviceId: { $in: deviceIds } }),
  ...(parked !== undefined && { parked }),
  ...((fromMs !== undefined || toMs !== undefined) && {
    archivedAt: {
      ...(fromMs !== undefined && { $gte: new Date(fromMs) }),
      ...(toMs !== undefined && { $lt: new Date(toMs) }),
    },
  }),
})

const beyond = (place: DeadLetterPlace | undefined, comparison: '$lt' | '$gt'): Filter<DeadLetterDocument> =>
  place === undefined
    ? {}
    : {
        $or: [
          { archivedAt: { [comparison]: place.archivedAt } },
          { archivedAt: place.archivedAt, _id: { [comparison]: place.id } },
        ],
      }

/** Dead letters in a state, newest first, after a place in that order. */
export const listDeadLetters = (
  letters: DeadLetters,
  query: { filter: DeadLetterFilter; state: DeadLetterState; limit: number; after: DeadLetterPlace | undefined },
): Promise<DeadLetterRow[]> =>
  letters
    .find({ $and: [filterOf(query.filter, query.state), beyond(query.after, '$lt')] }, READ)
    .project<DeadLetterRow>({ body: 0, envelope: 0 })
    .sort({ archivedAt: -1, _id: -1 })
    .limit(query.limit)
    .toArray()

/** Places of open dead letters, oldest first, after a place in that order. */
export const nextOpen = async (
  letters: DeadLetters,
  filter: DeadLetterFilter,
  limit: number,
  after: DeadLetterPlace | undefined,
): Promise<DeadLetterPlace[]> =>
  (
    await letters
      .find({ $and: [filterOf(filter, 'open'), beyond(after, '$gt')] }, READ)
      .project<Pick<DeadLetterDocument, '_id' | 'archivedAt'>>({ archivedAt: 1 })
      .sort({ archivedAt: 1, _id: 1 })
      .limit(limit)
      .toArray()
  ).map(({ _id, archivedAt }) => ({ archivedAt, id: _id }))

export type ReasonCount = { reason: DeadLetterReason; count: number; oldestAt: Date }

/** How many there are of each reason, and since when. */
export const countByReason = async (
  letters: DeadLetters,
  filter: DeadLetterFilter,
  state: DeadLetterState,
): Promise<ReasonCount[]> =>
  (
    await letters
      .aggregate<{ _id: DeadLetterReason; count: number; oldestAt: Date }>(
        [
          { $match: filterOf(filter, state) },
          { $group: { _id: '$reason', count: { $sum: 1 }, oldestAt: { $min: '$archivedAt' } } },
        ],
        READ,
      )
      .toArray()
  ).map(({ _id, count, oldestAt }) => ({ reason: _id, count, oldestAt }))

export const findDeadLetter = (letters: DeadLetters, id: ObjectId): Promise<DeadLetterDocument | null> =>
  letters.findOne({ _id: id }, READ)

/**
 * Closes a dead letter unless somebody else did.
 * @returns false when it was not open any more
 */
export const closeDeadLetter = async (
  letters: DeadLetters,
  id: ObjectId,
  as: { state: Exclude<DeadLetterState, 'open'>; at: Date; note?: string; operationId?: string },
): Promise<boolean> => {
  const { at, ...fields } = as
  const set = { ...fields, stateAt: at, expireAt: new Date(at.getTime() + CLOSED_DAYS * DAY_MS) }
  const { modifiedCount } = await letters.updateOne({ _id: id, state: 'open' }, { $set: set }, WRITE)
  return modifiedCount === 1
}

/** How many an operation has closed: the truth of its progress, whoever executed it and crashed. */
export const countClosedBy = (letters: DeadLetters, operationId: string): Promise<number> =>
  letters.countDocuments({ operationId }, READ)
