import { setImmediate } from 'node:timers/promises'
import { type BatchItem, bodyOf, readBatch } from '#contract/batch.ts'
import { sha256Hex } from '#contract/digest.ts'
import { MAX_BODY_BYTES } from '#contract/recording.ts'
import { isNonce } from '#contract/request-signature.ts'
import { type Answer, accepted, type BatchAnswer, refused, toBatchAnswer } from './answers.ts'
import { type IngestContext, ingest } from './ingest.ts'
import type { Received } from './reception.ts'

/** The first answer to a nonce of this batch, and for which bytes. */
type Seen = Map<string, { sha256Hex: string; answer: Promise<Answer> }>

const again = (answer: Answer): Answer => ('messageId' in answer.body ? accepted(answer.body.messageId, true) : answer)

const takeItem = async (context: IngestContext, batch: Received, item: BatchItem, seen: Seen): Promise<Answer> => {
  if (!isNonce(item.nonce))
    return refused('malformed', { detail: 'nonce: expected 16 to 32 random bytes as unpadded base64url' })
  const body = bodyOf(item)
  if (body === 'too large') return refused('body_too_large', { detail: `expected at most ${MAX_BODY_BYTES} bytes` })
  if (body === 'no text') return refused('schema_invalid', { detail: 'body: expected a JSON string of valid UTF-8' })
  const bodySha256Hex = sha256Hex(body)
  const first = seen.get(item.nonce)
  if (first !== undefined) return first.sha256Hex === bodySha256Hex ? first.answer.then(again) : refused('nonce_reuse')
  const answer = ingest(context, { ...batch, nonce: item.nonce, body, bodySha256Hex })
  seen.set(item.nonce, { sha256Hex: bodySha256Hex, answer })
  return answer
}

/**
 * Takes a batch of recordings that its device signed as a whole. Each item is what a request of its own would be: it has
 * its own nonce, spends a token, is checked, published and confirmed, and gets its own answer. They are read one after
 * the other with a pause for other requests between, because a batch may take as long to read as a hundred requests;
 * the confirms are awaited together.
 */
export const ingestBatch = async (context: IngestContext, batch: Received): Promise<BatchAnswer | Answer> => {
  await setImmediate() // joining and digesting 8 MiB had this turn: 15 ms; reading them is to have another
  const read = readBatch(batch.body)
  if (!read.ok)
    return refused('schema_invalid', {
      title: 'The body is not a batch',
      detail: read.fault.detail,
      errors: [read.fault],
    })
  const seen: Seen = new Map()
  const answers: Promise<Answer>[] = []
  for (const item of read.items) {
    await setImmediate()
    const answer = takeItem(context, batch, item, seen)
    answer.catch(() => undefined) // it is awaited only when all are under way, and may fail before
    answers.push(answer)
  }
  return toBatchAnswer(await Promise.all(answers))
}
