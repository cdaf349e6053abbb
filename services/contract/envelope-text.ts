/** What surrounds a message's body: properties and headers, of whatever types a client of the broker chose. */
export type Envelope = {
  messageId?: string
  contentType?: string
  /** Seconds, as AMQP 0-9-1 has it. */
  timestamp?: number
  headers: Record<string, unknown>
}

/** A table in a table in a table: ours are flat, and what is deeper than this breaks readers by recursion. */
const DEEPEST = 32

/**
 * JSON has no bytes, no NaN and no infinity; those become an object with one key that starts with `$`, and a key that
 * starts so by itself gets another `$`. Below the deepest level nothing is kept.
 */
const toPlain = (value: unknown, level: number, cut: () => void): unknown => {
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString('base64') }
  if (typeof value === 'number' && !Number.isFinite(value)) return { $number: String(value) }
  if (typeof value !== 'object' || value === null) return value
  if (level >= DEEPEST) return cut()
  if (Array.isArray(value)) return value.map((item) => toPlain(item, level + 1, cut) ?? null)
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key.startsWith('$') ? `$${key}` : key, toPlain(item, level + 1, cut)]),
  )
}

const fromPlain = (value: unknown): unknown => {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(fromPlain)
  const [[key, only] = ['', undefined], ...more] = Object.entries(value)
  if (more.length === 0 && key === '$bytes') return Buffer.from(String(only), 'base64')
  if (more.length === 0 && key === '$number') return Number(only)
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name.startsWith('$') ? name.slice(1) : name, fromPlain(item)]),
  )
}

/**
 * Writes an envelope as text that gives the same one when it is read: a store may refuse keys that a broker allows.
 * @returns `exact` false when it was nested too deeply and something was left out
 */
export const writeEnvelope = (envelope: Envelope): { text: string; exact: boolean } => {
  let exact = true
  const plain = toPlain(envelope, 0, () => {
    exact = false
  })
  return { text: JSON.stringify(plain), exact }
}

/** What `writeEnvelope` wrote. */
export const readEnvelope = (text: string): Envelope => fromPlain(JSON.parse(text)) as Envelope
