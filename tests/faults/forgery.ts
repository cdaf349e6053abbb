import { randomBytes } from 'node:crypto'
import { sha256Hex } from '#contract/digest.ts'
import { messageIdFor } from '#contract/ids.ts'
import {
  CONTENT_TYPE,
  type Message,
  type MessageProperties,
  RECORDING_SCHEMA,
  toProperties,
} from '#contract/message.ts'
import { signMessage } from '#contract/message-signature.ts'
import { bodyOf, deviceIdOf } from './load.ts'
import type { LedgerEntry } from './oracle.ts'
import type { Stage } from './stage.ts'

/** A message that the test puts on the broker itself, beside the producers. */
export type Forged = { body: Buffer; properties: MessageProperties; entry: LedgerEntry }

export type Forging = Partial<
  Pick<Message, 'deviceId' | 'kid' | 'messageId' | 'receivedAtMs' | 'deviceTimestampMs'>
> & {
  key?: Buffer
  body?: Buffer
  expect?: LedgerEntry['expect']
}

const TIMESTAMP_MS = 1_735_683_480_000
let forgeries = 0

/** A message exactly as a producer of this pipeline would publish it, but for what is changed. */
export const forge = (stage: Stage, change: Forging = {}): Forged => {
  const deviceId = change.deviceId ?? deviceIdOf(forgeries % 16)
  const deviceTimestampMs = change.deviceTimestampMs ?? TIMESTAMP_MS + forgeries++
  const body = change.body ?? bodyOf(deviceId, deviceTimestampMs, 20)
  const sha256 = sha256Hex(body)
  const kid = change.kid ?? 'p1'
  const signed = {
    kid,
    deviceId,
    messageId: change.messageId ?? messageIdFor(deviceId, randomBytes(16).toString('base64url'), sha256),
    receivedAtMs: change.receivedAtMs ?? Date.now(),
    contentType: CONTENT_TYPE,
    sha256Hex: sha256,
  }
  const key = change.key ?? stage.messageKeys[kid] ?? randomBytes(32)
  const signatureHex = signMessage(key, signed)
  return {
    body,
    properties: toProperties({ ...signed, deviceTimestampMs, schema: RECORDING_SCHEMA, attempt: 0, signatureHex }),
    entry: {
      messageId: signed.messageId,
      sha256Hex: sha256,
      accepted: true,
      attempts: 0,
      expect: change.expect ?? 'stored',
    },
  }
}

/** Publishes messages, the same again where it stands again, and waits until the broker has confirmed them all. */
export const publish = async (stage: Stage, messages: Forged[]): Promise<void> => {
  const channel = await (await stage.broker()).createConfirmChannel()
  channel.on('error', () => undefined)
  stage.record(...new Set(messages.map(({ entry }) => entry).filter(({ attempts }) => attempts === 0)))
  for (const { body, properties, entry } of messages) {
    channel.publish(stage.names.exchange, stage.names.routingKey, body, { ...properties, persistent: true })
    entry.attempts++
  }
  stage.published(messages.length)
  await channel.waitForConfirms()
  await channel.close()
}
