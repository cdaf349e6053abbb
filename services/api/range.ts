/** The part of the bytes that a `Range` header asks for: all, a part with its inclusive end, or none that exists. */
export type ByteRange = { kind: 'all' } | { kind: 'part'; start: number; end: number } | { kind: 'unsatisfiable' }

/** Reads a single byte range (RFC 9110, 14.1.2); whatever else is asked for is answered with all bytes. */
export const readRange = (header: string | undefined, length: number): ByteRange => {
  const [, from = '', to = ''] = /^bytes=([0-9]*)-([0-9]*)$/.exec(header ?? '') ?? []
  if (from === '' && to === '') return { kind: 'all' }
  const start = from === '' ? Math.max(0, length - Number(to)) : Number(from)
  const end = from === '' || to === '' ? length - 1 : Math.min(Number(to), length - 1)
  if (from !== '' && to !== '' && Number(to) < Number(from)) return { kind: 'all' } // an invalid range is ignored
  return start >= length || start > end ? { kind: 'unsatisfiable' } : { kind: 'part', start, end }
}
