import type { IncomingMessage } from 'node:http'

/**
 * Reads a request's body while it streams and stops at the bound, whatever the sender said of its length.
 * @returns the bytes, `too large`, or `cut off` when the sender ended early
 */
export const readBody = (request: IncomingMessage, maxBytes: number): Promise<Buffer | 'too large' | 'cut off'> =>
  new Promise((resolve) => {
    const chunks: Buffer[] = []
    let bytes = 0
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > maxBytes) {
        request.removeAllListeners('data')
        request.resume()
        resolve('too large')
      } else chunks.push(chunk)
    })
    request.on('end', () => resolve(request.complete ? Buffer.concat(chunks, bytes) : 'cut off'))
    request.on('error', () => resolve('cut off'))
    request.on('close', () => resolve('cut off')) // after `end` it changes nothing
  })
