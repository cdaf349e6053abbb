import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { RequestOptions } from 'node:https'
import { Agent, type Dispatcher } from 'undici'
import type { KubeAccess } from './kubeconfig.ts'

/** What a request needs: where to send it, through which connections, and as whom. */
export type Access = {
  origin: string
  /** A path before those of the API, as a gateway to many clusters has it; without a slash at its end. */
  base: string
  headers: Record<string, string>
  dispatcher: Dispatcher
}

export type Credentials = {
  /** @throws when the kubeconfig names no cluster, or its files cannot be read and never could */
  current: () => Promise<Access>
  /** Reads everything again, now: the server says that it does not know us. */
  refresh: () => Promise<Access>
  /** Ends every connection; a request that is under way fails. */
  close: () => Promise<void>
}

/** client-go's interval: kubelet replaces a token when a fifth of its life is left, 12 minutes at the least. */
const FRESH_MS = 60_000
/** HTTP/2 windows: a watch that is read slowly must not hold up the requests beside it. */
const CONNECTION_WINDOW_BYTES = 16 * 1024 * 1024
const IDLE_MS = 60_000
const CONNECT_LIMIT_MS = 10_000

type Material = { server: string; tls: Record<string, unknown>; headers: Record<string, string> }

/** Certificates, token and the rest as they are now: files, exec plugins and the kubeconfig itself. */
const readMaterial = async (kubeConfig: KubeAccess): Promise<Material> => {
  const [cluster, user] = [kubeConfig.getCurrentCluster(), kubeConfig.getCurrentUser()]
  if (cluster === null) throw new Error('the kubeconfig names no cluster')
  const options: RequestOptions = { headers: {} }
  await kubeConfig.applyToHTTPSOptions(options)
  const headers = Object.fromEntries(
    Object.entries(options.headers as Record<string, string>).map(([name, value]) => [name.toLowerCase(), value]),
  )
  if (options.auth) headers.authorization = `Basic ${Buffer.from(options.auth).toString('base64')}`
  const tokenFile = (user?.authProvider as { config?: { tokenFile?: string } } | undefined)?.config?.tokenFile
  // client-node keeps what it read for a minute, even when the server has refused it.
  if (tokenFile !== undefined) headers.authorization = `Bearer ${(await readFile(tokenFile, 'utf8')).trim()}`
  const { ca, cert, key, servername, rejectUnauthorized } = options
  const tls = Object.entries({ ca, cert, key, servername, rejectUnauthorized }).filter(([, value]) => value)
  return {
    server: cluster.server,
    headers,
    tls: { ...Object.fromEntries(tls), ...(cluster.skipTLSVerify && { rejectUnauthorized: false }) },
  }
}

/**
 * One pool of connections for each content of the TLS files (client-node opens a connection for every request). Files
 * that were replaced are taken up within a minute, or at once when the server refuses what they said. The former pool
 * then takes no new requests, and its connections end with those that they carry.
 */
export const createCredentials = (kubeConfig: KubeAccess, nowMs: () => number): Credentials => {
  const retired = new Set<Agent>()
  let pool: { hash: string; dispatcher: Agent } | undefined
  let known: { atMs: number; access: Access } | undefined
  let reading: Promise<Access> | undefined

  const retire = (dispatcher: Agent): void => {
    retired.add(dispatcher)
    void dispatcher.close().then(() => retired.delete(dispatcher))
  }

  const dispatcherOf = ({ server, tls }: Material): Agent => {
    const hash = createHash('sha256')
      .update(JSON.stringify([server, tls]))
      .digest('hex')
    if (pool?.hash === hash) return pool.dispatcher
    if (pool !== undefined) retire(pool.dispatcher)
    const dispatcher = new Agent({
      connect: { ...tls, timeout: CONNECT_LIMIT_MS },
      allowH2: true,
      h2Options: { connectionWindowSize: CONNECTION_WINDOW_BYTES },
      keepAliveTimeout: IDLE_MS,
    })
    pool = { hash, dispatcher }
    return dispatcher
  }

  const read = async (): Promise<Access> => {
    try {
      const material = await readMaterial(kubeConfig)
      const { origin, pathname } = new URL(material.server)
      const access = {
        origin,
        base: pathname.replace(/\/$/, ''),
        headers: material.headers,
        dispatcher: dispatcherOf(material),
      }
      known = { atMs: nowMs(), access }
      return access
    } catch (error) {
      // A file is missing for a moment while it is replaced; what worked a minute ago is worth trying.
      if (known === undefined) throw error
      known = { ...known, atMs: nowMs() }
      return known.access
    }
  }

  const refresh = (): Promise<Access> => {
    reading ??= read().finally(() => {
      reading = undefined
    })
    return reading
  }

  return {
    current: () => (known !== undefined && nowMs() - known.atMs < FRESH_MS ? Promise.resolve(known.access) : refresh()),
    refresh,
    close: async () => {
      await Promise.all([...retired, pool?.dispatcher].map((dispatcher) => dispatcher?.destroy()))
    },
  }
}
