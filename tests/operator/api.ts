import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Agent } from 'undici'
import type { KubeObject } from '#kit/client.ts'

/**
 * The API server as its administrator sees it, by plain requests: what the operator's own client does wrong must not
 * be done wrong here, too.
 */
export type Api = {
  /** @throws Error with the server's answer when that is no success */
  call: <T = KubeObject>(method: string, path: string, body?: object, contentType?: string) => Promise<T>
  /** The same, but any answer is returned. */
  ask: (
    method: string,
    path: string,
    body?: object,
    contentType?: string,
  ) => Promise<{ status: number; body: KubeObject & { message?: string } }>
  /** The objects of a collection. */
  list: (path: string) => Promise<KubeObject[]>
  close: () => Promise<void>
}

export const MERGE = 'application/merge-patch+json'

/** The pair of the administrator of a light control plane. @param folder with `ca.crt`, `admin.crt` and `admin.key` */
export const adminOf = (folder: string) => ({
  ca: readFileSync(join(folder, 'ca.crt')),
  cert: readFileSync(join(folder, 'admin.crt')),
  key: readFileSync(join(folder, 'admin.key')),
})

/** @param headers of every request, such as a bearer token's; @param connections at most, of one request each */
export const openApi = (
  server: string,
  credentials: object,
  headers: Record<string, string> = {},
  connections = 16,
): Api => {
  const agent = new Agent({ connect: credentials, connections })
  const ask: Api['ask'] = async (method, path, body, contentType = 'application/json') => {
    const answer = await agent.request({
      origin: server,
      path,
      method: method as 'GET',
      headers: {
        ...headers,
        accept: 'application/json',
        'user-agent': 'xray-test',
        ...(body !== undefined && { 'content-type': contentType }),
      },
      body: body === undefined ? null : JSON.stringify(body),
    })
    const text = await answer.body.text()
    const isJson = String(answer.headers['content-type']).includes('json')
    return { status: answer.statusCode, body: isJson ? JSON.parse(text) : { message: text } }
  }
  const call: Api['call'] = async <T>(method: string, path: string, body?: object, contentType?: string) => {
    const answer = await ask(method, path, body, contentType)
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.body.message}`)
    return answer.body as T
  }
  return {
    call,
    ask,
    list: async (path) => {
      const { items, kind } = await call<{ items: KubeObject[]; kind: string }>('GET', path)
      return items.map((item) => ({ ...item, kind: kind.replace(/List$/, '') }))
    },
    close: () => agent.destroy(),
  }
}
