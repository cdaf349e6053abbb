const BLOCK = 512

export type Entry = { name: string; text: string }

const octal = (value: number, length: number): string => `${value.toString(8).padStart(length - 1, '0')}\0`

/** A header of POSIX.1-1988 (ustar): fields at fixed places, and a sum over all of them with the sum's own as spaces. */
const header = (name: string, bytes: number, atSeconds: number): Buffer => {
  const block = Buffer.alloc(BLOCK)
  const put = (text: string, at: number) => block.write(text, at, 'latin1')
  put(name, 0)
  put(octal(0o600, 8), 100)
  put(octal(0, 8), 108)
  put(octal(0, 8), 116)
  put(octal(bytes, 12), 124)
  put(octal(atSeconds, 12), 136)
  put(' '.repeat(8), 148)
  put('0', 156)
  put('ustar\x0000', 257)
  const sum = block.reduce((total, byte) => total + byte, 0)
  put(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return block
}

/**
 * Text files as a tar archive.
 * @throws RangeError for a name that has no room in a header (99 bytes of ASCII)
 */
export const toTar = (entries: readonly Entry[], atMs: number): Buffer => {
  const blocks = entries.flatMap(({ name, text }) => {
    if (!/^[\x20-\x7e]{1,99}$/.test(name)) throw new RangeError(`expected a name of 1 to 99 letters, got "${name}"`)
    const bytes = Buffer.from(text)
    return [
      header(name, bytes.length, Math.floor(atMs / 1000)),
      bytes,
      Buffer.alloc((BLOCK - (bytes.length % BLOCK)) % BLOCK),
    ]
  })
  return Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)])
}
