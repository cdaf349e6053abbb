import { describe, expect, it } from 'vitest'
import { type Evidence, judge, print } from './oracle.ts'

/** Two messages, one stored and one a dead letter, and everything right. */
const sound = (): Evidence => ({
  ledger: [
    { messageId: 'm1', sha256Hex: 'aa', accepted: true, attempts: 2, expect: 'stored' },
    { messageId: 'm2', sha256Hex: 'bb', accepted: true, attempts: 1, expect: 'schema_invalid' },
    { messageId: 'm3', sha256Hex: 'cc', accepted: false, attempts: 1, expect: 'stored' },
  ],
  signals: [{ id: 's1', messageId: 'm1', rawPayloadId: 's1', sha256Hex: 'aa', bytes: 7 }],
  files: [{ id: 's1', messageId: 'm1', length: 7, sha256Hex: 'aa' }],
  chunks: [{ id: 's1', fileId: 's1', n: 0 }],
  raw: new Map([['s1', { sha256Hex: 'aa' }]]),
  deadLetters: [{ messageId: 'm2', bodySha256Hex: 'bb', reason: 'schema_invalid', place: 'queue' }],
  depths: { main: 0, retry: 0, unrouted: 0 },
  longestGapMs: 40,
  counters: { confirmed: 3, stored: 1, duplicates: 1, deadLettered: 1 },
})

const [SIGNAL] = sound().signals as [Evidence['signals'][number]]
const [LETTER] = sound().deadLetters as [Evidence['deadLetters'][number]]

it('what is right has no violation, and its figures are counted', () =>
  expect(judge(sound())).toEqual({
    attempts: 4,
    accepted: 2,
    stored: 1,
    duplicates: 1,
    deadLettered: { schema_invalid: 1 },
    lost: 0,
    doubled: 0,
    longestGapMs: 40,
    violations: [],
  }))

describe('each violation is seen', () => {
  it.each<[string, (evidence: Evidence) => Partial<Evidence>, RegExp]>([
    ['an accepted message that is nowhere', () => ({ signals: [] }), /^I1 m1 was accepted and is lost/],
    [
      'a message that is stored and dead',
      ({ deadLetters }) => ({ deadLetters: [...deadLetters, { ...LETTER, messageId: 'm1', bodySha256Hex: 'aa' }] }),
      /^I1 m1 is stored and a dead letter/,
    ],
    [
      'a dead letter in the queue and in the archive',
      () => ({ deadLetters: [LETTER, { ...LETTER, place: 'archive' }] }),
      /^I1 m2 is a dead letter 2 times/,
    ],
    ['stored bytes that are others', () => ({ signals: [{ ...SIGNAL, sha256Hex: 'ab' }] }), /^I1 m1 is stored with/],
    [
      'a dead letter with another body',
      () => ({ deadLetters: [{ ...LETTER, bodySha256Hex: 'b0' }] }),
      /^I1 m2 is a dead letter with another body/,
    ],
    [
      'a dead letter where none was called for',
      ({ ledger }) => ({ ledger: ledger.map((entry) => ({ ...entry, expect: 'stored' as const })) }),
      /^I1 m2: expected stored, got schema_invalid/,
    ],
    [
      'a message stored that had to be refused',
      ({ ledger }) => ({ ledger: ledger.map((entry) => ({ ...entry, expect: 'auth_bad_signature' as const })) }),
      /^I1 m1: expected auth_bad_signature, got stored/,
    ],
    [
      'a reason that is not in the list',
      () => ({ deadLetters: [{ ...LETTER, reason: 'bad luck' }] }),
      /^I1 m2: a dead letter with the reason "bad luck"/,
    ],
    ['a signal without a file', () => ({ files: [] }), /^I1 signal s1: expected one file, got 0/],
    [
      'a file of another length',
      ({ files }) => ({ files: files.map((file) => ({ ...file, length: 6 })) }),
      /^I1 signal s1: its file says other bytes/,
    ],
    ['a signal without a chunk', () => ({ chunks: [] }), /^I1 signal s1: expected one chunk, got 0/],
    [
      'a signal of two chunks',
      ({ chunks }) => ({ chunks: [...chunks, { id: 's2', fileId: 's1', n: 1 }] }),
      /^I1 signal s1: expected one chunk, got 2/,
    ],
    [
      'a file that no signal has',
      ({ files }) => ({ files: [...files, { id: 's9', messageId: 'm2', length: 7, sha256Hex: 'bb' }] }),
      /^I1 file s9: raw bytes that no signal has/,
    ],
    [
      'a chunk that no signal has',
      ({ chunks }) => ({ chunks: [...chunks, { id: 's9', fileId: 's9', n: 0 }] }),
      /^I1 file s9: raw bytes that no signal has/,
    ],
    ['raw bytes that cannot be read', () => ({ raw: new Map([['s1', { problem: 'ChunkIsMissing' }]]) }), /^I3 .*Chunk/],
    ['raw bytes that are others', () => ({ raw: new Map([['s1', { sha256Hex: 'ab' }]]) }), /^I3 .*other bytes/],
    ['raw bytes that nobody read', () => ({ raw: new Map() }), /^I3 .*not tried/],
    ['a message stored twice', () => ({ signals: [SIGNAL, { ...SIGNAL, id: 's2' }] }), /^I2 m1 is stored 2 times/],
    [
      'a message that nobody sent',
      ({ signals }) => ({ signals: [...signals, { ...SIGNAL, messageId: 'm9' }] }),
      /^I2 m9 is stored, and nobody sent/,
    ],
    ['a queue that is not empty', () => ({ depths: { main: 0, unrouted: 2 } }), /^I4 unrouted holds 2 messages/],
    [
      'other bytes under an id that was not accepted',
      ({ signals }) => ({ signals: [...signals, { ...SIGNAL, messageId: 'm3' }] }),
      /^I5 m3 was not accepted and is stored with other bytes/,
    ],
    [
      'an id that was not accepted, stored twice',
      ({ signals }) => ({ signals: [...signals, ...['s3', 's4'].map((id) => ({ ...SIGNAL, id, messageId: 'm3' }))] }),
      /^I2 m3 is stored 2 times/,
    ],
    [
      'counters that do not add up',
      () => ({ counters: { confirmed: 4, stored: 1, duplicates: 1, deadLettered: 1 } }),
      /^I6 confirmed 4, but 1 stored \+ 1 duplicates \+ 1 dead-lettered/,
    ],
  ])('%s', (_, change, violation) => {
    const evidence = sound()
    const { violations } = judge({ ...evidence, ...change(evidence) })
    expect(violations).toContainEqual(expect.stringMatching(violation))
  })
})

it('a message that was not accepted may be stored once', () => {
  const evidence = sound()
  const signals = [...evidence.signals, { ...SIGNAL, id: 's3', messageId: 'm3', rawPayloadId: 's3', sha256Hex: 'cc' }]
  const files = [...evidence.files, { id: 's3', messageId: 'm3', length: 7, sha256Hex: 'cc' }]
  const chunks = [...evidence.chunks, { id: 's3', fileId: 's3', n: 0 }]
  const raw = new Map([...evidence.raw, ['s3', { sha256Hex: 'cc' }] as const])
  expect(judge({ ...evidence, signals, files, chunks, raw }).violations).toEqual([])
})

it('a sheet shows its figures and no more than five violations', () => {
  const evidence = sound()
  const ledger = Array.from({ length: 8 }, (_, at) => ({
    messageId: `x${at}`,
    sha256Hex: 'aa',
    accepted: true,
    attempts: 1,
    expect: 'stored' as const,
  }))
  const text = print('a fault', judge({ ...evidence, ledger: [...evidence.ledger, ...ledger] }))
  expect(text).toContain('202 10 | stored 1 | duplicates 1 | dead-lettered schema_invalid 1 | lost 8 | doubled 0')
  expect(text).toContain('violations 8')
  expect(text).toContain('and 3 more')
})
