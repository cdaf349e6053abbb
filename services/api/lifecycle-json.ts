import type { DeadLetterNote, Lifecycle } from '#runtime/lifecycle.ts'

export type LifecycleEvent = { at: string; what: string; detail?: string }

/** The latest thing that is known: a message that died, was replayed and is stored, is stored. */
const stateOf = ({ signal, claimed, deadLetters }: Lifecycle): string => {
  if (signal !== undefined) return 'stored'
  if (claimed) return 'processing'
  return deadLetters.at(-1)?.state === 'open' ? 'dead' : (deadLetters.at(-1)?.state ?? 'unknown')
}

const eventsOf = (note: DeadLetterNote): (LifecycleEvent | undefined)[] => [
  note.firstFailedAt && { at: note.firstFailedAt.toISOString(), what: 'failed first' },
  {
    at: note.archivedAt.toISOString(),
    what: 'dead',
    detail: `${note.reason} after ${note.attempt + 1} attempt${note.attempt === 0 ? '' : 's'}: ${note.detail}`,
  },
  note.stateAt && { at: note.stateAt.toISOString(), what: note.state },
]

/** What happened to a message, as readers see it: earliest first. */
export const toLifecycleJson = (lifecycle: Lifecycle) => {
  const { messageId, signal, deadLetters } = lifecycle
  const receivedAt = signal?.receivedAt ?? deadLetters[0]?.receivedAt
  const events = [
    receivedAt && { at: receivedAt.toISOString(), what: 'accepted', detail: 'the broker confirmed it' },
    ...deadLetters.flatMap(eventsOf),
    signal && {
      at: signal.processedAt.toISOString(),
      what: 'stored',
      detail: `as signal ${signal._id.toHexString()}${signal.attempts === undefined ? '' : ` at attempt ${signal.attempts}`}`,
    },
  ].filter((event): event is LifecycleEvent => event !== undefined)
  const deviceId = signal?.deviceId ?? deadLetters[0]?.deviceId
  return {
    messageId,
    state: stateOf(lifecycle),
    ...(deviceId !== undefined && { deviceId }),
    ...(signal !== undefined && { signalId: signal._id.toHexString(), attempts: signal.attempts ?? 1 }),
    ...(signal?.traceId !== undefined && { traceId: signal.traceId }),
    events: events.sort((one, other) => one.at.localeCompare(other.at)),
  }
}
