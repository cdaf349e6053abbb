import type { Redis } from 'ioredis'
import { ObjectId } from 'mongodb'
import { type DeadLetterRow, deadLettersOf } from './dead-letter-store.ts'
import { findClaim } from './idempotency.ts'
import type { SignalDocument, Store } from './signal-store.ts'

/** What a dead letter in the archive says of a message. */
export type DeadLetterNote = Pick<
  DeadLetterRow,
  | 'messageId'
  | 'deviceId'
  | 'reason'
  | 'detail'
  | 'attempt'
  | 'firstFailedAt'
  | 'receivedAt'
  | 'archivedAt'
  | 'state'
  | 'stateAt'
>

/** All that is known of a message; nothing is known of one that waits in a queue. */
export type Lifecycle = {
  messageId: string
  signal?: SignalDocument
  /** Some process is at work on it. */
  claimed: boolean
  deadLetters: DeadLetterNote[]
}

/** A search through all signals ends here: about a million of them in a second on a small server. */
const SEARCH_LIMIT_MS = 5_000
const READ = { timeoutMS: SEARCH_LIMIT_MS }

const notesOf = (store: Store, messageId: string): Promise<DeadLetterNote[]> =>
  deadLettersOf(store.db)
    .find({ messageId }, READ)
    .project<DeadLetterNote>({ body: 0, envelope: 0 })
    .sort({ archivedAt: 1 })
    .limit(20)
    .toArray()

/**
 * What became of a message, by the id of its signal.
 * @returns undefined when there is no such signal
 */
export const lifecycleOfSignal = async (store: Store, id: ObjectId): Promise<Lifecycle | undefined> => {
  const signal = await store.signals.findOne({ _id: id }, READ)
  if (signal === null) return undefined
  const { messageId } = signal
  return { messageId, signal, claimed: false, deadLetters: await notesOf(store, messageId) }
}

/**
 * What became of a message, by its own id. Redis knows the signal of each message of the last day. For older ones the
 * signals of the device are searched, or all: an index by messageId would cost every insert a quarter more CPU and
 * index space (measured: batches of 200, 64,000 signals in FerretDB 2.7), for a question that is asked rarely.
 * @returns undefined when nobody knows it
 * @throws the driver's error when the search takes too long
 */
export const lifecycleOfMessage = async (
  store: Store,
  redis: Redis,
  messageId: string,
  deviceId: string | undefined,
): Promise<Lifecycle | undefined> => {
  const [claim, deadLetters] = await Promise.all([
    findClaim(redis, messageId).catch(() => undefined),
    notesOf(store, messageId),
  ])
  const named = typeof claim === 'object' ? await store.signals.findOne({ _id: new ObjectId(claim.idHex) }, READ) : null
  const searched =
    named ?? (await store.signals.findOne({ ...(deviceId !== undefined && { deviceId }), messageId }, READ))
  const claimed = claim === 'claimed' && searched === null
  if (searched === null && !claimed && deadLetters.length === 0) return undefined
  return { messageId, ...(searched !== null && { signal: searched }), claimed, deadLetters }
}
