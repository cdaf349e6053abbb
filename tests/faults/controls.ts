import type { Edit } from './sabotage.ts'

/** A defect by name: what it breaks, and how. */
export type Sabotage = { what: string; edits: Edit[] }

const HANDLING = 'services/signals/handling.ts'
const INSPECTION = 'services/signals/inspection.ts'
const STORING = 'services/signals/storing.ts'
const STORE = 'services/runtime/signal-store.ts'
const PUBLISHER = 'services/runtime/publisher.ts'
const AMQP = 'services/runtime/amqp.ts'
const ACKER = 'services/runtime/acker.ts'
const AUTHENTICATION = 'services/producer/authentication.ts'
const INGEST = 'services/producer/ingest.ts'

/** The negative controls: defects that a fault must catch, or it proves nothing. The product knows nothing of them. */
export const CONTROLS = {
  'ack-before-write': {
    what: 'signals acknowledges a message before it is stored or moved',
    edits: [
      {
        file: HANDLING,
        from: "import { type Delivery, settle } from '#runtime/consumer.ts'",
        to: "import { type Delivery, settle as settleNow } from '#runtime/consumer.ts'\nconst settle = () => undefined",
      },
      {
        file: HANDLING,
        from: '  const keys = context.messageKeys()\n',
        to: "  const keys = context.messageKeys()\n  for (const delivery of deliveries) settleNow(delivery, 'ack')\n  await null\n  await deliveries[0].acker.heard()\n",
      },
      // A process that is killed resets its connection, and an acknowledgement may get lost with it: it is to have come.
      {
        file: ACKER,
        from: '  return {\n    settle: (message, how) => {\n',
        to: '  return {\n    heard: () => channel.prefetch(1),\n    settle: (message, how) => {\n',
      },
    ],
  },
  'ends-at-once': {
    what: 'signals acknowledges a message before it is stored, and ends at once on SIGTERM',
    edits: [
      {
        file: HANDLING,
        from: "import { type Delivery, settle } from '#runtime/consumer.ts'",
        to: "import { type Delivery, settle as settleNow } from '#runtime/consumer.ts'\nconst settle = () => undefined",
      },
      {
        file: HANDLING,
        from: '  const keys = context.messageKeys()\n',
        to: "  const keys = context.messageKeys()\n  for (const delivery of deliveries) settleNow(delivery, 'ack')\n  await context.pause()\n",
      },
      { file: 'services/runtime/process.ts', from: '    await shutDown(log, endings, ENDING_LIMIT_MS)\n', to: '' },
    ],
  },
  'redis-before-write': {
    what: 'signals tells Redis that a message is stored before it is',
    edits: [
      {
        file: HANDLING,
        from: '  const stored = await storeAll(\n',
        to: '  await context.idempotency.markStored(named)\n  const stored = await storeAll(\n',
      },
    ],
  },
  'accept-before-confirm': {
    what: 'the producer answers 202 before the broker has confirmed',
    edits: [
      {
        file: INGEST,
        from: 'const outcome = await context.publisher.publish({',
        to: "const outcome = 'confirmed'\n  void context.publisher.publish({",
      },
    ],
  },
  'nonce-before-confirm': {
    what: 'the producer remembers a nonce before the broker has confirmed its message',
    edits: [
      {
        file: INGEST,
        from: '  const outcome = await publish(context, received, messageId, recording.timestamp)\n',
        to: '  await context.nonces.write(deviceId, nonce, { messageId, sha256Hex: bodySha256Hex })\n  const outcome = await publish(context, received, messageId, recording.timestamp)\n',
      },
    ],
  },
  'no-mandatory': {
    what: 'messages are published without mandatory, so that the broker drops what it cannot route',
    edits: [{ file: PUBLISHER, from: 'mandatory: true', to: 'mandatory: false' }],
  },
  'random-ids': {
    what: 'a write gets ids of its own instead of those that its messages fix',
    edits: [{ file: STORE, from: '({ idHex }) => new ObjectId(idHex)', to: '() => new ObjectId()' }],
  },
  'outage-spends-attempts': {
    what: 'a store that is away counts as the fault of the messages, and at once',
    edits: [
      {
        file: STORING,
        from: '    if (!(await context.alive())) {\n',
        to: '    if (true) return entries.map(() => ({ failed: String(error) }))\n    else {\n',
      },
      { file: STORE, from: 'serverSelectionTimeoutMS: 5_000', to: 'serverSelectionTimeoutMS: 200' },
    ],
  },
  'connects-once': {
    what: 'signals leaves it to the driver to connect to the store',
    edits: [{ file: 'services/signals/service.ts', from: '        await connectStore(store.client)\n', to: '' }],
  },
  'failure-counts-as-stored': {
    what: 'a write that failed counts as done',
    edits: [
      {
        file: STORING,
        from: '    if (!(await context.alive())) {\n',
        to: "    if (true) return entries.map(() => 'stored')\n    else {\n",
      },
    ],
  },
  'no-reconnect': {
    what: 'a connection that is lost is not made again',
    edits: [{ file: AMQP, from: 'while (!closing.signal.aborted) {', to: 'for (let once = 0; once < 1; once++) {' }],
  },
  'ignore-blocked': {
    what: 'the producer publishes although the broker asks to stop',
    edits: [{ file: PUBLISHER, from: '|| blocked() ', to: '' }],
  },
  'redis-decides': {
    what: 'signals takes a message for stored when Redis does not answer',
    edits: [
      {
        file: 'services/runtime/idempotency.ts',
        from: "CLAIMS[answer] ?? 'claimed')",
        to: "CLAIMS[answer] ?? 'claimed') ?? messages.map(() => 'stored')",
      },
    ],
  },
  'no-nonces': {
    what: 'the producer forgets every nonce',
    edits: [
      {
        file: 'services/runtime/nonces.ts',
        from: "await fastPath(() => timed('get', redis.get(keyOf(deviceId, nonce))))",
        to: 'undefined',
      },
    ],
  },
  'no-authentication': {
    what: 'the producer takes every signature for true',
    edits: [{ file: AUTHENTICATION, from: '  if (!verified) return UNAUTHENTICATED\n', to: '' }],
  },
  'no-skew-check': {
    what: 'the producer takes every time for true',
    edits: [
      { file: AUTHENTICATION, from: 'Math.abs(nowMs / 1000 - timestampSeconds) > MAX_SKEW_SECONDS', to: 'false' },
    ],
  },
  'no-schema': {
    what: 'the producer says 202 to a body that is no recording',
    edits: [
      {
        file: INGEST,
        from: "return refused('schema_invalid', { detail: recording.fault.detail, errors: [recording.fault] })",
        to: "return accepted('0'.repeat(32), false)",
      },
    ],
  },
  'no-message-signature': {
    what: 'signals takes every message for one of the pipeline',
    edits: [{ file: INSPECTION, from: 'if (!verifiesMessage(key, message, message.signatureHex))', to: 'if (false)' }],
  },
  'unknown-key-is-dead': {
    what: 'signals gives a message up at once when its key is not here yet',
    edits: [
      {
        file: INSPECTION,
        from: "{ kind: 'retry', reason: 'auth_unknown_key'",
        to: "{ kind: 'dead', reason: 'auth_unknown_key'",
      },
    ],
  },
  'unguarded-inspection': {
    what: 'a message that signals cannot transform fails the whole batch',
    edits: [{ file: INSPECTION, from: "return dead('transform_failed', (error as Error).message)", to: 'throw error' }],
  },
  'registry-read-once': {
    what: 'the producer reads the device registry once and never again',
    edits: [
      { file: 'services/runtime/device-watch.ts', from: '    if (!closed)\n', to: '    if (known === undefined)\n' },
    ],
  },
  'keeps-messages': {
    what: 'the producer keeps every message that it published',
    edits: [
      {
        file: PUBLISHER,
        from: '    bytes += body.length\n',
        to: '    bytes += body.length\n    Object.assign(globalThis, { kept: { publication, former: Reflect.get(globalThis, "kept") } })\n',
      },
    ],
  },
  'no-watchdog': {
    what: 'nobody asks whether the broker is still there',
    edits: [
      { file: AMQP, from: 'const HEARTBEAT_SECONDS = 8', to: 'const HEARTBEAT_SECONDS = 0' },
      { file: AMQP, from: 'const WATCHDOG_MS = 10_000', to: 'const WATCHDOG_MS = 10_000_000' },
    ],
  },
} as const satisfies Record<string, Sabotage>

export type ControlName = keyof typeof CONTROLS
