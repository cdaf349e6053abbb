import { setTimeout as delay } from 'node:timers/promises'
import type { Dispatcher } from 'undici'
import { type Access, createCredentials } from './credentials.ts'
import { currentDeadline } from './deadline.ts'
import { ApiError, errorOfAnswer } from './errors.ts'
import type { KubeAccess } from './kubeconfig.ts'
import { readRetryAfter, retryDelayMs } from './retry.ts'
import { createSlots } from './slots.ts'
import { type WatchLine, watchLines } from './watch.ts'

export { ApiError, isConflict, isExpired, isForbidden, isNameTaken, isNotFound } from './errors.ts'
export type { KubeObject, ObjectMeta, OwnerReference } from './object.ts'
export type { WatchLine } from './watch.ts'

export type Method = 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE'

export type Request = {
  method: Method
  path: string
  query?: Record<string, string>
  body?: unknown
  contentType?: string
  /** What is asked for, when it is not the object itself. */
  accept?: string
  /** How long the server may take for one try; 30 s unless told. */
  limitMs?: number
  /** Asked right before each try is sent; what it throws refuses the request. */
  allow?: () => void
}

export type WatchRequest = {
  path: string
  query?: Record<string, string>
  accept?: string
  /** A watch that tells nothing for so long is taken for dead. */
  idleMs: number
  signal: AbortSignal
}

export type Client = {
  /**
   * One request, raw JSON both ways, so that no field is lost. Sent again when the server says when, and a read also
   * after a lost connection; given up when the deadline of the work around it passes.
   * @returns undefined when the answer has no body
   * @throws ApiError, or the transport's error
   */
  request: <T>(request: Request) => Promise<T>
  /** The same for an answer that is no JSON, such as a pod's log. */
  text: (request: Request) => Promise<string>
  /** The lines of a watch, until the server ends it. @throws ApiError, or the transport's error */
  watch: (request: WatchRequest) => AsyncGenerator<WatchLine>
  /** Ends every connection and fails what is under way. */
  close: () => Promise<void>
}

export type ClientMetrics = {
  /** @param code the status, or `<error>` when there was no answer */
  answered: (method: string, code: string, seconds: number) => void
  retried: (method: string, code: string) => void
}

const LIMIT_MS = 30_000
/**
 * client-go throttles itself to some requests a second, which newer controllers switch off: the server knows better
 * how much it bears, and says so with 429. This only bounds what can be lost or doubled at one time.
 */
const MOST_IN_FLIGHT = 64
/** Accepts `metadata` only, of an object and of the objects of a watch, so that a Secret's content never comes here. */
export const METADATA_ONLY = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1'
/** The same of a list, which is another kind. */
export const METADATA_LIST_ONLY = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1'

/** `?a=b`, or nothing. */
const search = (query: Record<string, string> = {}): string => {
  const text = new URLSearchParams(query).toString()
  return text === '' ? '' : `?${text}`
}

/** The client of the API server that a kubeconfig names; in a pod, that of its service account. */
export const createClient = (
  kubeConfig: KubeAccess,
  { userAgent, metrics }: { userAgent: string; metrics: ClientMetrics },
): Client => {
  const credentials = createCredentials(kubeConfig, () => performance.now())
  const slots = createSlots(MOST_IN_FLIGHT)
  const closing = new AbortController()

  const optionsOf = (access: Access, path: string, query?: Record<string, string>, accept = 'application/json') => ({
    origin: access.origin,
    path: `${access.base}${path}${search(query)}`,
    headers: { ...access.headers, accept, 'user-agent': userAgent },
  })

  /** One try. Time-outs are undici's own: after one it asks the connection for a sign of life, and leaves a dead one. */
  const send = async (request: Request, signal: AbortSignal): Promise<string> => {
    const { method, path, query, body, contentType = 'application/json', limitMs = LIMIT_MS } = request
    const release = await slots.take(signal)
    const startedAt = performance.now()
    let code = '<error>'
    // A turn of the event loop late: Node 24.21 forgets a stream that is destroyed in the turn in which it was made,
    // but nghttp2 does not, and takes empty frames of its body from then on, for ever, with all of a core.
    const givenUp = new AbortController()
    const giveUp = (): void => void setImmediate(() => givenUp.abort(signal.reason))
    signal.addEventListener('abort', giveUp, { once: true })
    const answer = async (access: Access): Promise<Dispatcher.ResponseData> => {
      signal.throwIfAborted()
      request.allow?.()
      const options = optionsOf(access, path, query, request.accept)
      return access.dispatcher.request({
        ...options,
        method,
        headers: { ...options.headers, ...(body !== undefined && { 'content-type': contentType }) },
        body: body === undefined ? null : JSON.stringify(body),
        headersTimeout: limitMs,
        bodyTimeout: limitMs,
        signal: givenUp.signal,
      })
    }
    try {
      let data = await answer(await credentials.current())
      if (data.statusCode === 401) {
        await data.body.dump()
        data = await answer(await credentials.refresh())
      }
      code = String(data.statusCode)
      const text = await data.body.text()
      if (data.statusCode >= 200 && data.statusCode < 300) return text
      const retryAfter = data.headers['retry-after']
      const retryAfterMs = readRetryAfter(Array.isArray(retryAfter) ? retryAfter[0] : retryAfter, Date.now())
      throw errorOfAnswer(data.statusCode, text, retryAfterMs)
    } finally {
      signal.removeEventListener('abort', giveUp)
      release()
      metrics.answered(method, code, (performance.now() - startedAt) / 1000)
    }
  }

  const text = async (request: Request): Promise<string> => {
    const deadline = currentDeadline()
    const signal = deadline === undefined ? closing.signal : AbortSignal.any([closing.signal, deadline])
    let waitedMs = 0
    for (let retries = 0; ; retries++) {
      try {
        return await send(request, signal)
      } catch (error) {
        const delayMs = signal.aborted ? undefined : retryDelayMs(request.method, error, retries, waitedMs)
        if (delayMs === undefined) throw error
        metrics.retried(request.method, error instanceof ApiError ? String(error.status) : '<error>')
        await delay(delayMs, undefined, { signal })
        waitedMs += delayMs
      }
    }
  }

  return {
    request: async <T>(request: Request): Promise<T> => {
      const answer = await text(request)
      return (answer === '' ? undefined : JSON.parse(answer)) as T
    },
    text,
    watch: async function* ({ path, query, accept, idleMs, signal }) {
      const access = await credentials.current()
      const startedAt = performance.now()
      yield* watchLines(
        access.dispatcher,
        optionsOf(access, path, { ...query, watch: 'true' }, accept),
        idleMs,
        AbortSignal.any([signal, closing.signal]),
        (code) => {
          metrics.answered('WATCH', code, (performance.now() - startedAt) / 1000)
          if (code === '401') void credentials.refresh()
        },
      )
    },
    close: async () => {
      closing.abort(new Error('the client of the API server is closed'))
      await credentials.close()
    },
  }
}
