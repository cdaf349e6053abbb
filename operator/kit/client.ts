import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { KubeConfig } from '@kubernetes/client-node'
import { Agent, type Dispatcher } from 'undici'

/** An object of the API, as JSON; what is not named here is passed through untouched. */
export type KubeObject = {
  apiVersion: string
  kind: string
  metadata: ObjectMeta
  [field: string]: unknown
}

export type ObjectMeta = {
  name: string
  namespace?: string
  uid?: string
  resourceVersion?: string
  generation?: number
  creationTimestamp?: string
  deletionTimestamp?: string
  labels?: Record<string, string>
  annotations?: Record<string, string>
  finalizers?: string[]
  ownerReferences?: OwnerReference[]
}

export type OwnerReference = {
  apiVersion: string
  kind: string
  name: string
  uid: string
  controller?: boolean
  blockOwnerDeletion?: boolean
}

/** An answer other than 2xx: the API's own reason and message. */
export class ApiError extends Error {
  override name = 'ApiError'
  readonly status: number
  readonly reason: string
  constructor(status: number, reason: string, message: string) {
    super(message)
    this.status = status
    this.reason = reason
  }
}

export const isNotFound = (error: unknown): boolean => error instanceof ApiError && error.status === 404
export const isConflict = (error: unknown): boolean => error instanceof ApiError && error.status === 409
/** The version that was asked for is no longer kept: list again. */
export const isExpired = (error: unknown): boolean =>
  error instanceof ApiError && (error.status === 410 || error.reason === 'Expired')

export type Request = {
  method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE'
  path: string
  query?: Record<string, string>
  body?: unknown
  contentType?: string
  /** What is asked for, when it is not the object itself. */
  accept?: string
}

export type Client = {
  /** One request; `Retry-After` of 429 and 5xx is obeyed a few times. @throws ApiError, or the transport's error */
  request: <T>(request: Request) => Promise<T>
  /** The same for an answer that is no JSON, such as a pod's log. */
  text: (request: Request) => Promise<string>
  /** The lines of a watch, each one JSON value, until the server ends it or the signal aborts. */
  watch: (path: string, query: Record<string, string>, idleMs: number, signal: AbortSignal) => AsyncGenerator<WatchLine>
  close: () => Promise<void>
}

export type WatchLine = { type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'; object: KubeObject }

const MOST_RETRIES = 5
const REQUEST_LIMIT_MS = 30_000

const urlOf = (server: string, path: string, query: Record<string, string> = {}): string => {
  const url = new URL(path, server)
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
  return url.href
}

type Credentials = { server: string; dispatcher: Dispatcher; authorization: () => string | undefined }

/**
 * One pooled dispatcher for each content of the credentials: client-node would open a connection for every request.
 * Certificates and tokens that were rotated on disk are taken up within a minute.
 */
const credentialsFrom = (kubeConfig: KubeConfig): (() => Credentials) => {
  let made: { hash: string; at: number; credentials: Credentials } | undefined
  return () => {
    if (made !== undefined && performance.now() - made.at < 60_000) return made.credentials
    const [cluster, user] = [kubeConfig.getCurrentCluster(), kubeConfig.getCurrentUser()]
    if (cluster === null) throw new Error('the kubeconfig names no cluster')
    const read = (data?: string, file?: string) =>
      data ? Buffer.from(data, 'base64') : file ? readFileSync(file) : undefined
    const tls = {
      ca: read(cluster.caData, cluster.caFile),
      cert: read(user?.certData, user?.certFile),
      key: read(user?.keyData, user?.keyFile),
    }
    const tokenFile = (user?.authProvider as { config?: { tokenFile?: string } } | undefined)?.config?.tokenFile
    const token = tokenFile === undefined ? user?.token : readFileSync(tokenFile, 'utf8').trim()
    const hash = createHash('sha256')
      .update(JSON.stringify([cluster.server, tls, token]))
      .digest('hex')
    if (made?.hash !== hash) {
      const connect = Object.fromEntries(
        Object.entries({ ...tls, rejectUnauthorized: !cluster.skipTLSVerify }).filter(
          ([, value]) => value !== undefined,
        ),
      )
      const dispatcher = new Agent({ connect, allowH2: true, connections: 8, pipelining: 64, bodyTimeout: 0 })
      void made?.credentials.dispatcher.close()
      made = {
        hash,
        at: 0,
        credentials: {
          server: cluster.server,
          dispatcher,
          authorization: () => (token === undefined ? undefined : `Bearer ${token}`),
        },
      }
    }
    made.at = performance.now()
    return made.credentials
  }
}

const errorFrom = (status: number, text: string): ApiError => {
  try {
    const { reason = '', message = text } = JSON.parse(text) as { reason?: string; message?: string }
    return new ApiError(status, reason, message)
  } catch {
    return new ApiError(status, '', text.slice(0, 500))
  }
}

/** The client of the API server that a kubeconfig names; in a pod, that of its service account. */
export const createClient = (loadFrom: KubeConfig, seen: (method: string, status: number) => void): Client => {
  const credentials = credentialsFrom(loadFrom)
  const headersOf = (authorization: string | undefined, more: Record<string, string> = {}) => ({
    accept: 'application/json',
    'user-agent': 'xray-operator',
    ...(authorization !== undefined && { authorization }),
    ...more,
  })
  const once = async ({
    method,
    path,
    query,
    body,
    contentType = 'application/json',
    accept = 'application/json',
  }: Request): Promise<{ status: number; text: string; retryAfter: string | undefined }> => {
    const { server, dispatcher, authorization } = credentials()
    const answer = await dispatcher.request({
      origin: new URL(server).origin,
      path: new URL(urlOf(server, path, query)).href.slice(new URL(server).origin.length),
      method,
      headers: headersOf(authorization(), { accept, ...(body !== undefined && { 'content-type': contentType }) }),
      body: body === undefined ? null : JSON.stringify(body),
      headersTimeout: REQUEST_LIMIT_MS,
      signal: AbortSignal.timeout(REQUEST_LIMIT_MS),
    })
    seen(method, answer.statusCode)
    const retryAfter = answer.headers['retry-after']
    return {
      status: answer.statusCode,
      text: await answer.body.text(),
      retryAfter: typeof retryAfter === 'string' ? retryAfter : undefined,
    }
  }
  const text = async (request: Request): Promise<string> => {
    for (let attempt = 0; ; attempt++) {
      const { status, text, retryAfter } = await once(request)
      if (status >= 200 && status < 300) return text
      const waitSeconds = Number(retryAfter)
      if (!(status === 429 || status >= 500) || !(waitSeconds >= 0) || attempt >= MOST_RETRIES)
        throw errorFrom(status, text)
      await new Promise((resolve) => setTimeout(resolve, Math.min(waitSeconds, 10) * 1000))
    }
  }
  return {
    request: async <T>(request: Request): Promise<T> => JSON.parse(await text(request)) as T,
    text,
    watch: async function* (path, query, idleMs, signal) {
      const { server, dispatcher, authorization } = credentials()
      const idle = new AbortController()
      const rearm = () => {
        clearTimeout(timer)
        timer = setTimeout(() => idle.abort(new Error(`the watch was silent for ${idleMs} ms`)), idleMs)
      }
      let timer: NodeJS.Timeout | undefined
      rearm()
      try {
        const url = new URL(urlOf(server, path, { ...query, watch: 'true' }))
        const answer = await dispatcher.request({
          origin: url.origin,
          path: url.href.slice(url.origin.length),
          method: 'GET',
          headers: headersOf(authorization()),
          bodyTimeout: 0,
          signal: AbortSignal.any([signal, idle.signal]),
        })
        seen('WATCH', answer.statusCode)
        if (answer.statusCode !== 200) throw errorFrom(answer.statusCode, await answer.body.text())
        let rest = ''
        for await (const chunk of answer.body.setEncoding('utf8')) {
          rearm()
          const lines = `${rest}${chunk}`.split('\n')
          rest = lines.pop() ?? ''
          for (const line of lines) yield JSON.parse(line) as WatchLine
        }
      } finally {
        clearTimeout(timer)
      }
    },
    close: async () => credentials().dispatcher.destroy(),
  }
}

/** Loads `KUBECONFIG`, the usual file or, in a pod, the service account. */
export const loadKubeConfig = (): KubeConfig => {
  const kubeConfig = new KubeConfig()
  kubeConfig.loadFromDefault()
  return kubeConfig
}
