import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { KubeConfig } from '@kubernetes/client-node'
import { type Dispatcher, fetch, type Response } from 'undici'
import { EXIT, Failure } from './failure.ts'
import { type Dial, openTunnel } from './tunnel.ts'

/** An object of the cluster, as far as every kind has it. */
export type KubeObject = {
  apiVersion?: string
  kind?: string
  metadata: {
    name: string
    namespace?: string
    uid?: string
    labels?: Record<string, string>
    annotations?: Record<string, string>
    generation?: number
    resourceVersion?: string
    creationTimestamp?: string
    managedFields?: unknown
  }
  spec?: unknown
  status?: unknown
}

export type Asked = { method?: string; body?: unknown; contentType?: string; signal?: AbortSignal }

/** The API server, as the kubeconfig's user. `what` names in a message what could not be had. */
export type Kube = {
  server: string
  /** @throws Failure notFound, denied, or unreachable */
  ask: (path: string, what: string, asked?: Asked) => Promise<Response>
  get: <T>(path: string, what: string) => Promise<T>
  /** Every object of a collection, page by page, and the version from which a watch goes on. */
  list: <T extends KubeObject>(path: string, what: string) => Promise<{ items: T[]; resourceVersion: string }>
  patch: <T>(path: string, body: unknown, what: string) => Promise<T>
  /** The lines of an answer that does not end by itself, until it does or the signal aborts. */
  lines: (path: string, what: string, signal: AbortSignal) => AsyncGenerator<string>
  /** Opens a local port that leads to a pod's. */
  tunnel: (namespace: string, pod: string, port: number) => ReturnType<typeof openTunnel>
}

/** Loaded when a cluster is first asked for: it is most of what this program loads, and `--help` must not wait for it. */
const clientNode = (): typeof import('@kubernetes/client-node') =>
  createRequire(import.meta.url)('@kubernetes/client-node')

const PAGE = 500
const LIMIT_MS = 20_000

const failureOf = (status: number, text: string, what: string): Failure => {
  const { message = text } = ((): { message?: string } => {
    try {
      return JSON.parse(text) as { message?: string }
    } catch {
      return {}
    }
  })()
  const said = message.trim().split('\n')[0] ?? ''
  if (status === 404) return new Failure(EXIT.notFound, `${what} is not there`, status)
  if (status === 401 || status === 403)
    return new Failure(EXIT.denied, `${what}: this kubeconfig may not (${said})`, status)
  return new Failure(EXIT.failed, `${what}: the API server answered ${status}: ${said}`, status)
}

/** Reads a kubeconfig: the file that is named, else what kubectl would take. @throws Failure */
export const readKubeConfig = (file: string): KubeConfig => {
  const config = new (clientNode().KubeConfig)()
  try {
    if (file === '') config.loadFromDefault()
    else config.loadFromString(readFileSync(file, 'utf8'))
  } catch (error) {
    throw new Failure(EXIT.usage, `the kubeconfig ${file} cannot be read: ${(error as Error).message}`)
  }
  return config
}

/** Talks to the cluster that the kubeconfig's current context names. */
export const openKube = (config: KubeConfig): Kube => {
  const server = config.getCurrentCluster()?.server ?? ''
  let dispatcher: Dispatcher | undefined

  const ask: Kube['ask'] = async (
    path,
    what,
    { method = 'GET', body, contentType = 'application/json', signal } = {},
  ) => {
    if (server === '')
      throw new Failure(EXIT.unreachable, 'the kubeconfig names no cluster: run "npm start", or set KUBECONFIG')
    // The user's token may have to be made by a program, and be made anew: so it is asked for each time.
    const { RequestContext, HttpMethod } = clientNode()
    const context = new RequestContext(`${server}${path}`, HttpMethod.GET)
    await config.applySecurityAuthentication(context)
    dispatcher ??= context.getDispatcher() as Dispatcher | undefined
    const response = await fetch(`${server}${path}`, {
      method,
      headers: { ...context.getHeaders(), ...(body !== undefined && { 'content-type': contentType }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(dispatcher !== undefined && { dispatcher }),
      signal: signal ?? AbortSignal.timeout(LIMIT_MS),
    }).catch((error: Error & { cause?: Error & { code?: string } }) => {
      if (signal?.aborted) throw error
      const reason = error.cause?.code ?? error.cause?.message ?? error.message
      throw new Failure(EXIT.unreachable, `the cluster ${server} cannot be reached: ${reason}`)
    })
    if (response.ok) return response
    throw failureOf(response.status, await response.text(), what)
  }

  const get: Kube['get'] = async <T>(path: string, what: string) => (await ask(path, what)).json() as Promise<T>

  const lines = async function* (path: string, what: string, signal: AbortSignal): AsyncGenerator<string> {
    try {
      const { body } = await ask(path, what, { signal })
      let rest = ''
      const decoder = new TextDecoder()
      for await (const chunk of body ?? []) {
        const parts = (rest + decoder.decode(chunk as Uint8Array, { stream: true })).split('\n')
        rest = parts.pop() ?? ''
        yield* parts
      }
      if (rest !== '') yield rest
    } catch (error) {
      if (signal.aborted) return
      if (error instanceof Failure) throw error
      const { code, message } = ((error as Error).cause ?? error) as Error & { code?: string }
      // Nothing came for five minutes, which is what quiet pods do.
      if (code !== 'UND_ERR_BODY_TIMEOUT')
        throw new Failure(EXIT.unreachable, `${what}: the connection broke: ${message}`)
    }
  }

  return {
    server,
    ask,
    get,
    lines,
    list: async <T extends KubeObject>(path: string, what: string) => {
      type Page = { items: T[]; metadata: { resourceVersion: string; continue?: string } }
      const items: T[] = []
      let [resourceVersion, next] = ['', '']
      do {
        const query = `${path.includes('?') ? '&' : '?'}limit=${PAGE}${next === '' ? '' : `&continue=${encodeURIComponent(next)}`}`
        const page = await get<Page>(`${path}${query}`, what)
        items.push(...page.items)
        resourceVersion = page.metadata.resourceVersion
        next = page.metadata.continue ?? ''
      } while (next !== '')
      return { items, resourceVersion }
    },
    patch: async <T>(path: string, body: unknown, what: string) =>
      (
        await ask(path, what, { method: 'PATCH', body, contentType: 'application/merge-patch+json' })
      ).json() as Promise<T>,
    tunnel: (namespace, pod, port) => {
      const dial: Dial = async (socket) => {
        const link = await new (clientNode().PortForward)(config).portForward(
          namespace,
          pod,
          [port],
          socket,
          null,
          socket,
        )
        return () => (typeof link === 'function' ? link() : link)?.close()
      }
      return openTunnel(dial)
    },
  }
}
