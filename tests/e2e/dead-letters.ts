import type { Db } from 'mongodb'
import { readEnvelope } from '#contract/envelope-text.ts'
import { type DeadLetterDocument, deadLettersOf } from '#runtime/dead-letter-store.ts'

export type ArchivedLetter = { messageId: string; headers: Record<string, unknown>; payload: string; state: string }

const toArchived = ({ messageId, envelope, body, state }: DeadLetterDocument): ArchivedLetter => ({
  messageId,
  headers: readEnvelope(envelope).headers,
  payload: Buffer.from(body.buffer).toString(),
  state,
})

/** The dead letters that were moved from their queue into a pipeline's store. */
export const archivedLetters = async (db: Db): Promise<ArchivedLetter[]> =>
  (await deadLettersOf(db).find().toArray()).map(toArchived)
