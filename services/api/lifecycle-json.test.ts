import { ObjectId } from 'mongodb'
import { describe, expect, it } from 'vitest'
import type { DeadLetterNote, Lifecycle } from '#runtime/lifecycle.ts'
import type { SignalDocument } from '#runtime/signal-store.ts'
import { toLifecycleJson } from './lifecycle-json.ts'

const MESSAGE = 'a'.repeat(32)
const at = (second: number): Date => new Date(Date.UTC(2026, 0, 1, 12, 0, second))
const signal = {
  _id: new ObjectId('67746d981f8e018e95dbb982'),
  messageId: MESSAGE,
  deviceId: 'b'.repeat(24),
  receivedAt: at(0),
  processedAt: at(1),
} as SignalDocument
const letter: DeadLetterNote = {
  messageId: MESSAGE,
  reason: 'storage_failed',
  detail: 'the disk is full',
  attempt: 3,
  receivedAt: at(0),
  firstFailedAt: at(2),
  archivedAt: at(20),
  state: 'open',
}
const lifecycle = (change: Partial<Lifecycle>): Lifecycle => ({
  messageId: MESSAGE,
  claimed: false,
  deadLetters: [],
  ...change,
})
const shown = (change: Partial<Lifecycle>) => {
  const { state, events } = toLifecycleJson(lifecycle(change))
  return [state, ...events.map(({ what }) => what)]
}

describe('a message', () => {
  it.each([
    ['stored', { signal }, ['stored', 'accepted', 'stored']],
    ['at work on', { claimed: true }, ['processing']],
    ['dead', { deadLetters: [letter] }, ['dead', 'accepted', 'failed first', 'dead']],
    [
      'discarded',
      { deadLetters: [{ ...letter, state: 'discarded' as const, stateAt: at(30) }] },
      ['discarded', 'accepted', 'failed first', 'dead', 'discarded'],
    ],
    [
      'stored after a replay',
      {
        signal: { ...signal, processedAt: at(40) },
        deadLetters: [{ ...letter, state: 'replayed' as const, stateAt: at(30) }],
      },
      ['stored', 'accepted', 'failed first', 'dead', 'replayed', 'stored'],
    ],
  ])('%s', (_, change, expected) => expect(shown(change)).toEqual(expected))

  it('that was retried says so, and names its trace', () =>
    expect(toLifecycleJson(lifecycle({ signal: { ...signal, attempts: 3, traceId: 'c'.repeat(32) } }))).toMatchObject({
      signalId: '67746d981f8e018e95dbb982',
      attempts: 3,
      traceId: 'c'.repeat(32),
      events: [{ what: 'accepted' }, { detail: 'as signal 67746d981f8e018e95dbb982 at attempt 3' }],
    }))
})
