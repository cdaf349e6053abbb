import type { Exchange, Queue, Topology } from '#contract/topology.ts'
import type { Sample } from '../decide/scaling.ts'

/** The management API of one broker, seen from one virtual host. */
export type BrokerAccess = { managementUri: string; username: string; password: string; vhost: string }

export type QueueLook = Sample & { name: string }

const LIMIT_MS = 8_000
const MOST_QUEUES = '500'

const request = async (
  access: BrokerAccess,
  method: string,
  path: string,
  body?: unknown,
): Promise<{ status: number; text: string }> => {
  const authorization = `Basic ${Buffer.from(`${access.username}:${access.password}`).toString('base64')}`
  const answer = await fetch(new URL(path, access.managementUri), {
    method,
    headers: { authorization, ...(body !== undefined && { 'content-type': 'application/json' }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(LIMIT_MS),
  })
  return { status: answer.status, text: await answer.text() }
}

const ok = async (access: BrokerAccess, method: string, path: string, body?: unknown): Promise<string> => {
  const { status, text } = await request(access, method, path, body)
  if (status < 300) return text
  throw new Error(`the broker answered ${status} to ${method} ${path.replace(/\?.*/, '')}: ${text.slice(0, 200)}`)
}

const encoded = encodeURIComponent

const sameArguments = (wanted: Record<string, unknown>, found: Record<string, unknown>): string | undefined => {
  const differing = [...new Set([...Object.keys(wanted), ...Object.keys(found)])].filter(
    (name) => wanted[name] !== found[name],
  )
  return differing.length === 0
    ? undefined
    : differing.map((name) => `${name} is ${found[name] ?? 'not set'}, wanted ${wanted[name] ?? 'not set'}`).join(', ')
}

/**
 * Declares what is missing of a topology.
 * @returns what is there with other arguments, which the broker cannot change; such an object is left as it is
 * @throws Error when the broker cannot be asked or refuses
 */
export const ensureTopology = async (access: BrokerAccess, topology: Topology): Promise<string | undefined> => {
  const vhost = encoded(access.vhost)
  const [exchanges, queues, bindings] = await Promise.all([
    ok(access, 'GET', `/api/exchanges/${vhost}?columns=name,type,arguments`).then(
      (text) => JSON.parse(text) as Exchange[],
    ),
    ok(access, 'GET', `/api/queues/${vhost}?columns=name,arguments`).then((text) => JSON.parse(text) as Queue[]),
    ok(access, 'GET', `/api/bindings/${vhost}`).then(
      (text) => JSON.parse(text) as { source: string; destination: string; routing_key: string }[],
    ),
  ])
  const problems: string[] = []
  for (const wanted of topology.exchanges) {
    const found = exchanges.find(({ name }) => name === wanted.name)
    const differs =
      found === undefined
        ? undefined
        : found.type !== wanted.type
          ? `type is ${found.type}, wanted ${wanted.type}`
          : sameArguments(wanted.arguments, found.arguments)
    if (differs !== undefined) problems.push(`exchange ${wanted.name}: ${differs}`)
    if (found === undefined)
      await ok(access, 'PUT', `/api/exchanges/${vhost}/${encoded(wanted.name)}`, {
        type: wanted.type,
        durable: true,
        arguments: wanted.arguments,
      })
  }
  for (const wanted of topology.queues) {
    const found = queues.find(({ name }) => name === wanted.name)
    const differs = found === undefined ? undefined : sameArguments(wanted.arguments, found.arguments)
    if (differs !== undefined) problems.push(`queue ${wanted.name}: ${differs}`)
    if (found === undefined)
      await ok(access, 'PUT', `/api/queues/${vhost}/${encoded(wanted.name)}`, {
        durable: true,
        arguments: wanted.arguments,
      })
  }
  for (const { exchange, queue, routingKey } of topology.bindings) {
    const bound = bindings.some(
      ({ source, destination, routing_key }) =>
        source === exchange && destination === queue && routing_key === routingKey,
    )
    if (!bound)
      await ok(access, 'POST', `/api/bindings/${vhost}/e/${encoded(exchange)}/q/${encoded(queue)}`, {
        routing_key: routingKey,
      })
  }
  return problems.length === 0 ? undefined : problems.join('; ')
}

/** Deletes queues and exchanges; what is gone already is fine. An exchange that others still bind stays. */
export const deleteTopology = async (
  access: BrokerAccess,
  names: { queues: string[]; exchanges: string[] },
): Promise<void> => {
  const vhost = encoded(access.vhost)
  const paths = [
    ...names.queues.map((name) => `/api/queues/${vhost}/${encoded(name)}`),
    ...names.exchanges.map((name) => `/api/exchanges/${vhost}/${encoded(name)}?if-unused=true`),
  ]
  for (const path of paths) {
    const { status, text } = await request(access, 'DELETE', path)
    if (status >= 300 && status !== 404 && status !== 400)
      throw new Error(`the broker answered ${status} to DELETE ${path}: ${text.slice(0, 200)}`)
  }
}

type QueueRow = {
  name: string
  messages_ready?: number
  messages_unacknowledged?: number
  message_stats?: { publish?: number; ack?: number }
}

/** Columns make the answer small, and from 4.3 on only they make it complete. */
const COLUMNS = 'name,messages_ready,messages_unacknowledged,message_stats.publish,message_stats.ack'

/** Every queue of a virtual host whose depth is known; one without figures is unknown and left out, never empty. */
export const lookAtQueues = async (access: BrokerAccess, nowMs: number): Promise<QueueLook[]> => {
  const rows: QueueRow[] = []
  for (let page = 1, pages = 1; page <= pages; page++) {
    const query = new URLSearchParams({ columns: COLUMNS, page: String(page), page_size: MOST_QUEUES })
    const answer = JSON.parse(await ok(access, 'GET', `/api/queues/${encoded(access.vhost)}?${query}`)) as {
      items: QueueRow[]
      page_count: number
    }
    rows.push(...answer.items)
    pages = answer.page_count
  }
  return rows.flatMap(({ name, messages_ready, messages_unacknowledged, message_stats }) =>
    messages_ready === undefined || messages_unacknowledged === undefined
      ? []
      : [
          {
            name,
            atMs: nowMs,
            ready: messages_ready,
            unacked: messages_unacknowledged,
            published: message_stats?.publish ?? 0,
            acked: message_stats?.ack ?? 0,
          },
        ],
  )
}
