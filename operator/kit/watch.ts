import type { Dispatcher } from 'undici'
import { errorOfAnswer } from './errors.ts'
import type { KubeObject } from './object.ts'
import { readRetryAfter } from './retry.ts'

/** One line of a watch. The object of an ERROR is a `metav1.Status`. */
export type WatchLine = { type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'; object: KubeObject }

/** The server sends the headers of a watch as soon as it has the version, for which it waits 3 s at most. */
const HEADERS_LIMIT_MS = 30_000

/**
 * The lines of a watch. A silence longer than `idleMs` is an error, and makes undici look whether the connection still
 * lives, which a plain end of the request would not.
 * @param answered told the status, or `<error>` when there was no answer
 * @throws ApiError when the server refuses, the transport's error when the connection ends early
 */
export async function* watchLines(
  dispatcher: Dispatcher,
  request: { origin: string; path: string; headers: Record<string, string> },
  idleMs: number,
  signal: AbortSignal,
  answered: (code: string) => void,
): AsyncGenerator<WatchLine> {
  const { statusCode, headers, body } = await dispatcher
    .request({ ...request, method: 'GET', headersTimeout: HEADERS_LIMIT_MS, bodyTimeout: idleMs, signal })
    .catch((error: unknown) => {
      answered('<error>')
      throw error
    })
  answered(String(statusCode))
  if (statusCode !== 200) {
    const retryAfter = headers['retry-after']
    const retryAfterMs = readRetryAfter(Array.isArray(retryAfter) ? retryAfter[0] : retryAfter, Date.now())
    throw errorOfAnswer(statusCode, await body.text(), retryAfterMs)
  }
  // A line comes in pieces when the object is large: they are joined once, when it is whole.
  const pieces: string[] = []
  for await (const chunk of body.setEncoding('utf8') as AsyncIterable<string>) {
    let from = 0
    for (let end = chunk.indexOf('\n'); end !== -1; end = chunk.indexOf('\n', from)) {
      pieces.push(chunk.slice(from, end))
      from = end + 1
      const line = pieces.join('')
      pieces.length = 0
      if (line !== '') yield JSON.parse(line) as WatchLine
    }
    if (from < chunk.length) pieces.push(chunk.slice(from))
  }
}
