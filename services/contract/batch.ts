import { type Fault, MAX_BODY_BYTES } from './recording.ts'

/** A batch is `{"items": [{"nonce": "...", "body": "<a device's bytes as a JSON string>"}, ...]}` and nothing else. */
export const MAX_BATCH_BYTES = 8_388_608
export const MAX_BATCH_ITEMS = 100

/** One item; its body still as it stands in the batch, between the quotes, because reading it takes time. */
export type BatchItem = { nonce: string; escapedBody: Uint8Array }

export type BatchRead = { ok: true; items: BatchItem[] } | { ok: false; fault: Fault }

const [TAB, LF, CR, SPACE, QUOTE, COMMA, COLON, BACKSLASH] = [0x09, 0x0a, 0x0d, 0x20, 0x22, 0x2c, 0x3a, 0x5c]
const [OPEN_ARRAY, CLOSE_ARRAY, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d]
/** An escape has at most six characters for a byte, so what is longer cannot fit. */
const LONGEST_ESCAPED = 6 * MAX_BODY_BYTES
const LONGEST_NONCE = 64
/** Blanks that may stand together, which RFC 8259 leaves to the parser: eight megabytes of them would take 20 ms. */
const MOST_BLANKS = 1024

const textOf = (escaped: Uint8Array): string | undefined => {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(escaped)
    const value: unknown = JSON.parse(`"${text}"`)
    // Half of a surrogate pair has no bytes: what the device meant cannot be known.
    return typeof value === 'string' && value.isWellFormed() ? value : undefined
  } catch {
    return undefined
  }
}

/**
 * Reads a batch's frame, byte by byte and no further than the first fault. JSON.parse would do the whole of it at once,
 * and eight megabytes of `[],[],[]` keep it busy for longer than anybody else should wait.
 * @param bytes at most MAX_BATCH_BYTES; the caller has bounded it
 */
export const readBatch = (bytes: Uint8Array): BatchRead => {
  let at = 0
  const skipSpace = (): void => {
    const limit = at + MOST_BLANKS
    while (at < limit && (bytes[at] === SPACE || bytes[at] === LF || bytes[at] === CR || bytes[at] === TAB)) at++
  }
  const take = (byte: number): boolean => {
    skipSpace()
    if (bytes[at] !== byte) return false
    at++
    return true
  }
  /** The bytes between the quotes of a string, or undefined when none stands here or it does not end. */
  const takeString = (): Uint8Array | undefined => {
    if (!take(QUOTE)) return undefined
    const from = at
    while (at < bytes.length && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1
    return at < bytes.length ? bytes.subarray(from, at++) : undefined
  }
  const takeShort = (): string | undefined => {
    const escaped = takeString()
    return escaped === undefined || escaped.length > LONGEST_NONCE ? undefined : textOf(escaped)
  }
  const fault = (pointer: string, expected: string): BatchRead => ({
    ok: false,
    fault: { pointer, detail: `expected ${expected}, at byte ${at}` },
  })

  if (!take(OPEN_OBJECT) || takeShort() !== 'items' || !take(COLON) || !take(OPEN_ARRAY))
    return fault('', '{"items": [...]} and nothing else')
  const items: BatchItem[] = []
  do {
    const pointer = `/items/${items.length}`
    if (items.length === MAX_BATCH_ITEMS) return fault('/items', `at most ${MAX_BATCH_ITEMS} items`)
    const fields: { nonce?: string | undefined; body?: Uint8Array | undefined } = {}
    if (!take(OPEN_OBJECT)) return fault(pointer, '{"nonce": "...", "body": "..."}')
    do {
      const name = takeShort()
      if ((name !== 'nonce' && name !== 'body') || fields[name] !== undefined || !take(COLON))
        return fault(pointer, 'nonce and body, each once')
      if (name === 'nonce') fields.nonce = takeShort()
      else fields.body = takeString()
      if (fields[name] === undefined) return fault(`${pointer}/${name}`, 'a string')
    } while (take(COMMA))
    if (!take(CLOSE_OBJECT) || fields.nonce === undefined || fields.body === undefined)
      return fault(pointer, 'nonce and body, each once')
    items.push({ nonce: fields.nonce, escapedBody: fields.body })
  } while (take(COMMA))
  if (!take(CLOSE_ARRAY) || !take(CLOSE_OBJECT)) return fault('/items', 'the end of the list, then of the batch')
  skipSpace()
  return at === bytes.length ? { ok: true, items } : fault('', 'the end of the batch')
}

/** An item's bytes as the device meant them; `no text` when the string is no JSON string of UTF-8. */
export const bodyOf = ({ escapedBody }: BatchItem): Buffer | 'too large' | 'no text' => {
  if (escapedBody.length > LONGEST_ESCAPED) return 'too large'
  const text = textOf(escapedBody)
  if (text === undefined) return 'no text'
  const body = Buffer.from(text)
  return body.length > MAX_BODY_BYTES ? 'too large' : body
}
