import type { IncomingMessage } from 'node:http'

/**
 * The memory that bodies may take together until they are answered, in bytes. They must be held before it is known
 * whether anybody signed them, so without a bound strangers could fill the process.
 */
export type Room = { take: (bytes: number) => boolean; give: (bytes: number) => void }

export const createRoom = (mostBytes: number): Room => {
  let taken = 0
  return {
    take: (bytes) => {
      if (taken + bytes > mostBytes) return false
      taken += bytes
      return true
    },
    give: (bytes) => {
      taken -= bytes
    },
  }
}

/**
 * What a chunk takes beside its bytes until the body is whole. A sender may choose chunks of one byte, and half a million
 * of them were measured to take 638 bytes each (Node 24, RSS).
 */
const CHUNK_OVERHEAD_BYTES = 640

export type BodyFault = 'too large' | 'cut off' | 'no room'

/**
 * Reads a request's body while it streams and stops at the bound, whatever the sender said of its length.
 * @param room what is read, and what holds it, is taken from it; the caller gives the body's length back when it is done with it
 * @returns the bytes, or what is wrong: `cut off` when the sender ended early. Then nothing is held
 */
export const readBody = (request: IncomingMessage, maxBytes: number, room: Room): Promise<Buffer | BodyFault> =>
  new Promise((resolve) => {
    const chunks: Buffer[] = []
    let bytes = 0
    let overheadBytes = 0
    let settled = false
    const fail = (fault: BodyFault): void => {
      if (settled) return // `close` comes after `end`, too
      settled = true
      room.give(bytes + overheadBytes)
      chunks.length = 0
      request.resume()
      resolve(fault)
    }
    request.on('data', (chunk: Buffer) => {
      if (settled) return
      if (bytes + chunk.length > maxBytes) return fail('too large')
      if (!room.take(chunk.length + CHUNK_OVERHEAD_BYTES)) return fail('no room')
      bytes += chunk.length
      overheadBytes += CHUNK_OVERHEAD_BYTES
      chunks.push(chunk)
    })
    request.on('end', () => {
      if (!request.complete) return fail('cut off')
      if (settled) return
      settled = true
      const [only] = chunks
      resolve(chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks, bytes))
      room.give(overheadBytes)
    })
    request.on('error', () => fail('cut off'))
    request.on('close', () => fail('cut off'))
  })
