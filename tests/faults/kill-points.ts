import type { Edit } from './sabotage.ts'

const HANDLING = 'services/signals/handling.ts'
const STORE = 'services/runtime/signal-store.ts'
const INGEST = 'services/producer/ingest.ts'

const kill = 'globalThis.killHere()'

const afterPublish = (then: string): Edit[] => [
  {
    file: INGEST,
    from: 'const outcome = await context.publisher.publish({',
    to: 'const underWay = context.publisher.publish({',
  },
  {
    file: INGEST,
    from: '  publishing?.ended(outcome)\n',
    to: `  ${then}\n  const outcome = await underWay\n  publishing?.ended(outcome)\n`,
  },
]

/** Where a process ends by SIGKILL, once it has come there often enough. */
export const KILL_POINTS = {
  'signals asked Redis': [
    {
      file: HANDLING,
      from: '  const unknown = sound.filter(',
      to: `  ${kill}\n  const unknown = sound.filter(`,
    },
  ],
  'signals wrote the chunks': [
    {
      file: STORE,
      from: 'insertNew(store.chunks, chunks),',
      to: `insertNew(store.chunks, chunks).then((known) => (${kill}, known)),`,
    },
  ],
  'signals wrote the files': [
    {
      file: STORE,
      from: '  const conflicts = await conflictsAmong(',
      to: `  ${kill}\n  const conflicts = await conflictsAmong(`,
    },
  ],
  'signals wrote the signals': [
    {
      file: STORE,
      from: '  const duplicates = new Set([...knownSignals]',
      to: `  ${kill}\n  const duplicates = new Set([...knownSignals]`,
    },
  ],
  'signals was about to ack': [
    {
      file: HANDLING,
      from: "  if (verdict.kind === 'stored' || verdict.kind === 'duplicate') {\n",
      to: `  if (verdict.kind === 'stored' || verdict.kind === 'duplicate') {\n    ${kill}\n`,
    },
  ],
  'signals published a retry': [
    {
      file: HANDLING,
      from: "  if (outcome === 'confirmed') {\n",
      to: `  if (outcome === 'confirmed') {\n    ${kill}\n`,
    },
  ],
  'the producer published': afterPublish(kill),
  'the producer sent': afterPublish(`setImmediate(() => setImmediate(() => ${kill}))`),
  'the producer got the confirm': [
    { file: INGEST, from: '  context.published(outcome)\n', to: `  ${kill}\n  context.published(outcome)\n` },
  ],
} as const satisfies Record<string, readonly Edit[]>

export type KillPoint = keyof typeof KILL_POINTS
