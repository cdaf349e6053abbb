import { Agent, errors } from 'undici'
import { NotLeadingError } from '#kit/errors.ts'
import type { Sample } from '../decide/scaling.ts'
import { createCircuit, silent } from './circuit.ts'

/** How to come to the management API of one broker, in one virtual host. */
export type BrokerAccess = { managementUri: string; username: string; password: string; vhost: string }

/** The management API of one broker, seen from one virtual host. */
export type Broker = BrokerAccess & {
  /** One request; whatever is answered is an answer. @throws Error when nothing is within 8 s, or nothing is expected */
  request: (method: Method, path: string, body?: unknown) => Promise<{ status: number; text: string }>
}

export type Brokers = {
  of: (access: BrokerAccess) => Broker
  close: () => Promise<void>
}

type Method = 'GET' | 'PUT' | 'POST' | 'DELETE'

export type QueueLook = Sample & { name: string }

const LIMIT_MS = 8_000
const MOST_QUEUES = '500'
/** Of one broker. Its management API makes its answers one after the other. */
const CONNECTIONS = 16
const PROBE = '/api/whoami'

/** What a transport's error says, without ports and addresses that change from one try to the next. */
const readable = (error: unknown): Error => {
  if (error instanceof errors.HeadersTimeoutError || error instanceof errors.BodyTimeoutError) return silent()
  const { code, message } = error as Error & { code?: string }
  return new Error(code === undefined ? message : `the broker cannot be reached: ${code}`, { cause: error })
}

/**
 * Connections to every broker that a pipeline names, kept open; `fetch` takes four times the CPU for a request.
 * @param isLeader asked right before each request that changes something is sent: one who has lost the lease, and was
 *   frozen meanwhile, would delete queues that the new leader has made. Its requests fail with NotLeadingError
 */
export const createBrokers = (isLeader: () => boolean): Brokers => {
  const agent = new Agent({
    connections: CONNECTIONS,
    connect: { timeout: LIMIT_MS },
    headersTimeout: LIMIT_MS,
    bodyTimeout: LIMIT_MS,
  })
  const circuit = createCircuit(() => performance.now())
  return {
    of: (access) => {
      const { origin } = new URL(access.managementUri)
      const authorization = `Basic ${Buffer.from(`${access.username}:${access.password}`).toString('base64')}`
      const send = async (method: Method, path: string, body?: unknown): Promise<{ status: number; text: string }> => {
        try {
          const answer = await agent.request({
            origin,
            path: new URL(path, access.managementUri).href.slice(origin.length),
            method,
            headers: { authorization, ...(body !== undefined && { 'content-type': 'application/json' }) },
            body: body === undefined ? null : JSON.stringify(body),
          })
          return { status: answer.statusCode, text: await answer.body.text() }
        } catch (error) {
          throw readable(error)
        }
      }
      return {
        ...access,
        request: async (method, path, body) => {
          if (method !== 'GET' && !isLeader()) throw new NotLeadingError(`${method} ${path} is the leader's to send`)
          return circuit.ask(
            origin,
            () => send(method, path, body),
            () => send('GET', PROBE),
          )
        },
      }
    },
    close: () => agent.destroy(),
  }
}

/** The text of an answer of success. @throws Error with what was answered otherwise */
export const ok = async (broker: Broker, method: Method, path: string, body?: unknown): Promise<string> => {
  const { status, text } = await broker.request(method, path, body)
  if (status < 300) return text
  throw new Error(`the broker answered ${status} to ${method} ${path.replace(/\?.*/, '')}: ${text.slice(0, 200)}`)
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
export const lookAtQueues = async (broker: Broker, nowMs: number): Promise<QueueLook[]> => {
  const rows: QueueRow[] = []
  for (let page = 1, pages = 1; page <= pages; page++) {
    const query = new URLSearchParams({ columns: COLUMNS, page: String(page), page_size: MOST_QUEUES })
    const answer = JSON.parse(await ok(broker, 'GET', `/api/queues/${encodeURIComponent(broker.vhost)}?${query}`)) as {
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

/**
 * Ready messages of every queue of a virtual host, by name, fresher than its statistics: with totals alone the broker
 * reads its queues' own figures, past what the management plugin gathers and keeps.
 */
export const queueLengths = async (broker: Broker): Promise<Map<string, number>> => {
  // Without columns each row bears all that is known of its queue: fifteen times as much to make, send and parse.
  const columns = 'name,messages_ready'
  const query = new URLSearchParams({ disable_stats: 'true', enable_queue_totals: 'true', columns })
  const path = `/api/queues/${encodeURIComponent(broker.vhost)}?${query}`
  const rows = JSON.parse(await ok(broker, 'GET', path)) as QueueRow[]
  return new Map(rows.map(({ name, messages_ready = 0 }) => [name, messages_ready]))
}
