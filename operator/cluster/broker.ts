import type { Sample } from '../decide/scaling.ts'

/** The management API of one broker, seen from one virtual host. */
export type BrokerAccess = { managementUri: string; username: string; password: string; vhost: string }

export type QueueLook = Sample & { name: string }

const LIMIT_MS = 8_000
const MOST_QUEUES = '500'

/** One request; whatever is answered is an answer. @throws Error when nothing is within 8 s */
export const request = async (
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

/** The text of an answer of success. @throws Error with what was answered otherwise */
export const ok = async (access: BrokerAccess, method: string, path: string, body?: unknown): Promise<string> => {
  const { status, text } = await request(access, method, path, body)
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
export const lookAtQueues = async (access: BrokerAccess, nowMs: number): Promise<QueueLook[]> => {
  const rows: QueueRow[] = []
  for (let page = 1, pages = 1; page <= pages; page++) {
    const query = new URLSearchParams({ columns: COLUMNS, page: String(page), page_size: MOST_QUEUES })
    const answer = JSON.parse(await ok(access, 'GET', `/api/queues/${encodeURIComponent(access.vhost)}?${query}`)) as {
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
