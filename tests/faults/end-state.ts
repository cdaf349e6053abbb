import type { ChannelModel } from 'amqplib'
import { type Db, GridFSBucket, type ObjectId } from 'mongodb'
import { sha256Hex } from '#contract/digest.ts'
import type { TopologyNames } from '#contract/topology.ts'
import type { DeadLetter, Evidence } from './oracle.ts'

/** Messages that are ready in a queue: once no consumer is left, that is all of them. */
export const depthOf = async (broker: ChannelModel, queue: string): Promise<number> => {
  const channel = await broker.createChannel()
  channel.on('error', () => undefined) // a missing queue closes the channel; the call below throws as well
  const { messageCount } = await channel.checkQueue(queue)
  await channel.close()
  return messageCount
}

const lettersIn = async (broker: ChannelModel, queue: string, place: DeadLetter['place']): Promise<DeadLetter[]> => {
  const channel = await broker.createChannel()
  const letters: DeadLetter[] = []
  for (;;) {
    const message = await channel.get(queue)
    if (message === false) break
    letters.push({
      messageId: String(message.properties.messageId),
      bodySha256Hex: sha256Hex(message.content),
      reason: String(message.properties.headers?.['x-dlq-reason']),
      place,
    })
  }
  await channel.close() // nothing was acknowledged: the broker puts them all back
  return letters
}

/** Queues that must be empty at the end of every run. */
export const emptyQueues = (names: TopologyNames): string[] => [names.queue, ...names.retryQueues, names.unrouted]

/** How many dead letters there are, wherever they are: signals moves them from the queues into the archive. */
export const countDeadLetters = async (broker: ChannelModel, db: Db, names: TopologyNames): Promise<number> =>
  (await depthOf(broker, names.deadLetterQueue)) +
  (await depthOf(broker, names.parkedQueue)) +
  (await db.collection('dead_letters').countDocuments({ state: 'open' }))

/** Dead letters in the queue, in the parked queue and in the archive. */
export const collectDeadLetters = async (broker: ChannelModel, db: Db, names: TopologyNames): Promise<DeadLetter[]> => {
  const archived = await db
    .collection<{ messageId: string; bodySha256: string; reason: string; state: string }>('dead_letters')
    .find({ state: 'open' })
    .toArray()
  return [
    ...(await lettersIn(broker, names.deadLetterQueue, 'queue')),
    ...(await lettersIn(broker, names.parkedQueue, 'parked')),
    ...archived.map(({ messageId, bodySha256, reason }) => ({
      messageId,
      bodySha256Hex: bodySha256,
      reason,
      place: 'archive' as const,
    })),
  ]
}

const READERS = 8

/** Every signal's raw bytes, as any driver's GridFSBucket reads them. */
const readAll = async (db: Db, ids: ObjectId[]): Promise<Evidence['raw']> => {
  const bucket = new GridFSBucket(db, { bucketName: 'raw_payloads' })
  const raw: Evidence['raw'] = new Map()
  const waiting = [...ids]
  const reader = async (): Promise<void> => {
    for (let id = waiting.pop(); id !== undefined; id = waiting.pop())
      try {
        const bytes = Buffer.concat(await bucket.openDownloadStream(id).toArray())
        raw.set(id.toHexString(), { sha256Hex: sha256Hex(bytes) })
      } catch (error) {
        raw.set(id.toHexString(), { problem: (error as Error).message })
      }
  }
  await Promise.all(Array.from({ length: READERS }, reader))
  return raw
}

/** All that is stored, read by the driver and by nothing of ours. */
export const collectStored = async (db: Db): Promise<Pick<Evidence, 'signals' | 'files' | 'chunks' | 'raw'>> => {
  const [signals, files, chunks] = await Promise.all([
    db.collection('signals').find().toArray(),
    db.collection('raw_payloads.files').find().toArray(),
    db
      .collection('raw_payloads.chunks')
      .find({}, { projection: { files_id: 1, n: 1 } })
      .toArray(),
  ])
  return {
    signals: signals.map(({ _id, messageId, rawPayloadId, rawSha256, dataVolume }) => ({
      id: _id.toHexString(),
      messageId,
      rawPayloadId: String(rawPayloadId),
      sha256Hex: rawSha256,
      bytes: Number(dataVolume),
    })),
    files: files.map(({ _id, length, metadata }) => ({
      id: _id.toHexString(),
      messageId: metadata.messageId,
      length: Number(length),
      sha256Hex: metadata.sha256,
    })),
    chunks: chunks.map(({ _id, files_id, n }) => ({ id: String(_id), fileId: String(files_id), n })),
    raw: await readAll(
      db,
      signals.map(({ rawPayloadId }) => rawPayloadId),
    ),
  }
}
