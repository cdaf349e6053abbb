import type { ObjectId } from 'mongodb'
import { replayHeaders } from '#contract/dead-letter.ts'
import { readEnvelope } from '#contract/envelope-text.ts'
import type { TopologyNames } from '#contract/topology.ts'
import {
  closeDeadLetter,
  type DeadLetterDocument,
  type DeadLetters,
  findDeadLetter,
} from '#runtime/dead-letter-store.ts'
import { OUTCOMES, type Outcome, type Publication, type Publisher } from '#runtime/publisher.ts'

/** What became of a replay; only `replayed` means that the pipeline has the message and the dead letter is closed. */
export type Replay = 'replayed' | 'not_open' | 'not_whole' | Exclude<Outcome, 'confirmed'>

export const REPLAYS: readonly Replay[] = [
  'replayed',
  'not_open',
  'not_whole',
  ...OUTCOMES.filter((outcome) => outcome !== 'confirmed'),
]

export type ReplayContext = {
  letters: DeadLetters
  publisher: Publisher
  names: Pick<TopologyNames, 'exchange' | 'routingKey'>
  now: () => number
}

/** The message as the producer published it, on its way through the pipeline once more. */
export const publicationOf = (letter: DeadLetterDocument, names: ReplayContext['names']): Publication => {
  const { messageId = '', contentType, timestamp, headers } = readEnvelope(letter.envelope)
  return {
    exchange: names.exchange,
    routingKey: names.routingKey,
    body: Buffer.from(letter.body.buffer),
    properties: {
      messageId,
      ...(contentType !== undefined && { contentType }),
      ...(timestamp !== undefined && { timestamp }),
      headers: replayHeaders(headers, letter._id.toHexString()),
    },
  }
}

/**
 * Replays one dead letter: published and confirmed first, closed then. After a crash between, it is still open and its
 * message is in the pipeline; a second replay is dropped there as a duplicate. The other order could lose it.
 * @throws the driver's error when the store is away
 */
export const replay = async (
  { letters, publisher, names, now }: ReplayContext,
  id: ObjectId,
  operationId?: string,
): Promise<Replay> => {
  const letter = await findDeadLetter(letters, id)
  if (letter?.state !== 'open') return 'not_open'
  if (letter.truncated) return 'not_whole'
  const outcome = await publisher.publish(publicationOf(letter, names))
  if (outcome !== 'confirmed') return outcome
  const closed = await closeDeadLetter(letters, id, {
    state: 'replayed',
    at: new Date(now()),
    ...(operationId !== undefined && { operationId }),
  })
  return closed ? 'replayed' : 'not_open'
}
