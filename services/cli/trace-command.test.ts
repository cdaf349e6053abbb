import { expect, it } from 'vitest'
import { toTimeline } from './trace-command.ts'

it('a timeline says what happened to a message, and how long after it was accepted', () =>
  expect(
    toTimeline({
      messageId: '4e0a6cf16e8ddc7b0b74612b1a36f3ea',
      state: 'stored',
      deviceId: '66bb584d4ae73e488c30a072',
      signalId: '67746d981f8e018e95dbb982',
      traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
      events: [
        { at: '2026-01-01T12:00:00.000Z', what: 'accepted', detail: 'the broker confirmed it' },
        { at: '2026-01-01T12:00:00.021Z', what: 'stored' },
      ],
    }),
  ).toBe(`Message 4e0a6cf16e8ddc7b0b74612b1a36f3ea: stored
Device  66bb584d4ae73e488c30a072
Signal  67746d981f8e018e95dbb982
Trace   4bf92f3577b34da6a3ce929d0e0e4736

TIME                       AFTER    EVENT      DETAIL
2026-01-01T12:00:00.000Z   +0 ms    accepted   the broker confirmed it
2026-01-01T12:00:00.021Z   +21 ms   stored`))

it('of a message that is being processed nothing more is known', () =>
  expect(toTimeline({ messageId: 'a'.repeat(32), state: 'processing', events: [] })).toBe(
    `Message ${'a'.repeat(32)}: processing`,
  ))
