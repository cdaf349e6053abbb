import { DEAD_LETTER_REASONS, type DeadLetterReason } from '#contract/dead-letter.ts'

/** What became of one message as its sender saw it. */
export type LedgerEntry = {
  messageId: string
  /** Of the bytes that were sent. */
  sha256Hex: string
  /** Answered with 202, or confirmed by the broker when the test itself published it. */
  accepted: boolean
  attempts: number
  /** Where it must end once it is accepted; any dead letter that the fault does not call for is a failure. */
  expect: 'stored' | DeadLetterReason
}

export type StoredSignal = { id: string; messageId: string; rawPayloadId: string; sha256Hex: string; bytes: number }
export type StoredFile = { id: string; messageId: string; length: number; sha256Hex: string }
export type StoredChunk = { id: string; fileId: string; n: number }

/** `archive`: the collection `dead_letters`. */
export type DeadLetter = {
  messageId: string
  bodySha256Hex: string
  reason: string
  place: 'queue' | 'parked' | 'archive'
}

/** Sums over all processes of the metrics. */
export type Counters = { confirmed: number; stored: number; duplicates: number; deadLettered: number }

/** The end of a run: what was sent, and what is there after all processes ended. */
export type Evidence = {
  ledger: LedgerEntry[]
  signals: StoredSignal[]
  files: StoredFile[]
  chunks: StoredChunk[]
  /** By the id of the raw bytes: the SHA-256 of what the driver's own GridFSBucket reads, or why it cannot. */
  raw: Map<string, { sha256Hex: string } | { problem: string }>
  deadLetters: DeadLetter[]
  /** Messages of every queue that must be empty; with no consumer left, nothing is unacknowledged. */
  depths: Record<string, number>
  /** The longest time without a 202 while messages were sent. */
  longestGapMs: number
  /** Undefined where a process was killed or a connection lost: its counts went with it, or counted a message twice. */
  counters?: Counters
}

/** One run's sheet. Every violation starts with the rule's name (guarantees.md 1), or with `fault` for a fault's own. */
export type Sheet = {
  attempts: number
  accepted: number
  stored: number
  /** Duplicates that signals saw; unknown where its counters do not count. */
  duplicates: number | undefined
  deadLettered: Record<string, number>
  lost: number
  doubled: number
  longestGapMs: number
  violations: string[]
}

const countBy = <T>(items: T[], key: (item: T) => string): Map<string, number> => {
  const counts = new Map<string, number>()
  for (const item of items) counts.set(key(item), (counts.get(key(item)) ?? 0) + 1)
  return counts
}

const grouped = <T>(items: T[], key: (item: T) => string): Map<string, T[]> => {
  const groups = new Map<string, T[]>()
  for (const item of items) groups.set(key(item), [...(groups.get(key(item)) ?? []), item])
  return groups
}

/** What is wrong with one stored signal: its file, its only chunk and its bytes. I1 and I3. */
const flawsOf = (signal: StoredSignal, files: StoredFile[], chunks: StoredChunk[], raw: Evidence['raw']): string[] => {
  const [file, ...moreFiles] = files
  const [chunk, ...moreChunks] = chunks
  const read = raw.get(signal.rawPayloadId)
  return [
    file === undefined || moreFiles.length > 0
      ? `I1 signal ${signal.id}: expected one file, got ${files.length}`
      : undefined,
    file !== undefined && (file.sha256Hex !== signal.sha256Hex || file.length !== signal.bytes)
      ? `I1 signal ${signal.id}: its file says other bytes`
      : undefined,
    chunk === undefined || moreChunks.length > 0 || chunk.n !== 0
      ? `I1 signal ${signal.id}: expected one chunk, got ${chunks.length}`
      : undefined,
    read === undefined || 'problem' in read
      ? `I3 signal ${signal.id} cannot be read by GridFSBucket: ${read?.problem ?? 'not tried'}`
      : read.sha256Hex !== signal.sha256Hex
        ? `I3 signal ${signal.id}: GridFSBucket reads other bytes than were stored`
        : undefined,
  ].filter((flaw) => flaw !== undefined)
}

/** Raw bytes that no signal has: a message is stored whole or not at all. I1. */
const orphans = ({ signals, files, chunks }: Evidence): string[] => {
  const had = new Set(signals.map(({ rawPayloadId }) => rawPayloadId))
  const found = new Set([...files.map(({ id }) => id), ...chunks.map(({ fileId }) => fileId)])
  return [...found].filter((id) => !had.has(id)).map((id) => `I1 file ${id}: raw bytes that no signal has`)
}

/** Where one accepted message ended. I1. */
const fateFlaw = (entry: LedgerEntry, signals: StoredSignal[], dead: DeadLetter[]): string | undefined => {
  const name = `I1 ${entry.messageId}`
  const [letter] = dead
  if (signals.length === 0 && letter === undefined) return `${name} was accepted and is lost`
  if (signals.length > 0 && letter !== undefined) return `${name} is stored and a dead letter (${letter.reason})`
  if (dead.length > 1) return `${name} is a dead letter ${dead.length} times: ${dead.map(({ place }) => place)}`
  if (signals.some(({ sha256Hex }) => sha256Hex !== entry.sha256Hex)) return `${name} is stored with other bytes`
  if (letter !== undefined && letter.bodySha256Hex !== entry.sha256Hex)
    return `${name} is a dead letter with another body`
  const fate = letter?.reason ?? 'stored'
  return fate === entry.expect ? undefined : `${name}: expected ${entry.expect}, got ${fate}`
}

const counterFlaws = ({ confirmed, stored, duplicates, deadLettered }: Counters): string[] =>
  confirmed === stored + duplicates + deadLettered
    ? []
    : [`I6 confirmed ${confirmed}, but ${stored} stored + ${duplicates} duplicates + ${deadLettered} dead-lettered`]

/** Judges a run by the six rules of guarantees.md 1. Pure: the same evidence always gives the same sheet. */
export const judge = (evidence: Evidence): Sheet => {
  const { ledger, signals, files, chunks, deadLetters, depths, counters } = evidence
  const signalsOf = grouped(signals, ({ messageId }) => messageId)
  const deadOf = grouped(deadLetters, ({ messageId }) => messageId)
  const filesOf = grouped(files, ({ id }) => id)
  const chunksOf = grouped(chunks, ({ fileId }) => fileId)
  const known = new Set(ledger.map(({ messageId }) => messageId))
  const accepted = ledger.filter((entry) => entry.accepted)
  const endsOf = (id: string) => ({ signals: signalsOf.get(id) ?? [], dead: deadOf.get(id) ?? [] })
  const doubled = [...signalsOf].filter(([, same]) => same.length > 1)
  return {
    attempts: ledger.reduce((sum, { attempts }) => sum + attempts, 0),
    accepted: accepted.length,
    stored: signals.length,
    duplicates: counters?.duplicates,
    deadLettered: Object.fromEntries(countBy(deadLetters, ({ reason }) => reason)),
    lost: accepted.filter(({ messageId: id }) => !signalsOf.has(id) && !deadOf.has(id)).length,
    doubled: doubled.length,
    longestGapMs: evidence.longestGapMs,
    violations: [
      ...accepted.flatMap((entry) => {
        const ends = endsOf(entry.messageId)
        return fateFlaw(entry, ends.signals, ends.dead) ?? []
      }),
      ...signals.flatMap((signal) =>
        flawsOf(signal, filesOf.get(signal.rawPayloadId) ?? [], chunksOf.get(signal.rawPayloadId) ?? [], evidence.raw),
      ),
      ...orphans(evidence),
      ...deadLetters.flatMap(({ messageId, reason }) =>
        (DEAD_LETTER_REASONS as readonly string[]).includes(reason)
          ? []
          : `I1 ${messageId}: a dead letter with the reason "${reason}", which is not in the list`,
      ),
      ...doubled.map(([id, same]) => `I2 ${id} is stored ${same.length} times`),
      ...[...signalsOf.keys()]
        .filter((id) => !known.has(id))
        .map((id) => `I2 ${id} is stored, and nobody sent a message of that id`),
      ...Object.entries(depths).flatMap(([queue, depth]) =>
        depth === 0 ? [] : `I4 ${queue} holds ${depth} messages at the end`,
      ),
      ...ledger.flatMap(({ accepted, messageId, sha256Hex }) => {
        const same = signalsOf.get(messageId) ?? []
        return !accepted && same.some((signal) => signal.sha256Hex !== sha256Hex)
          ? `I5 ${messageId} was not accepted and is stored with other bytes`
          : []
      }),
      ...(counters === undefined ? [] : counterFlaws(counters)),
    ],
  }
}

/** A sheet as lines for people; of many violations of one kind the first few. */
export const print = (name: string, sheet: Sheet): string => {
  const dead = Object.entries(sheet.deadLettered).map(([reason, count]) => `${reason} ${count}`)
  const figures = [
    `attempts ${sheet.attempts}`,
    `202 ${sheet.accepted}`,
    `stored ${sheet.stored}`,
    `duplicates ${sheet.duplicates ?? 'uncounted'}`,
    `dead-lettered ${dead.length === 0 ? 0 : dead.join(', ')}`,
    `lost ${sheet.lost}`,
    `doubled ${sheet.doubled}`,
    `longest gap ${sheet.longestGapMs} ms`,
  ]
  const shown = sheet.violations.slice(0, 5).map((violation) => `    ${violation}`)
  const more = sheet.violations.length - shown.length
  return [
    `${name}\n  ${figures.join(' | ')}`,
    `  violations ${sheet.violations.length}`,
    ...shown,
    ...(more > 0 ? [`    and ${more} more`] : []),
  ].join('\n')
}
