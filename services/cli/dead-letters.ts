import { ask, json, type Output, type World } from './commands.ts'
import { agreed } from './consent.ts'
import { EXIT } from './failure.ts'
import { duration, positive, whole } from './numbers.ts'
import { follow, type OperationView, outcomeLine } from './operation.ts'
import { toTable } from './table.ts'

/** Which dead letters, as flags say it. */
export type Selection = {
  reason?: string[]
  device?: string[]
  from?: string
  to?: string
  parked?: boolean
  limit?: string
}

type Row = {
  id: string
  messageId: string
  deviceId?: string
  reason: string
  detail: string
  replays: number
  state: string
  archivedAt: string
}
type Letter = Row & {
  headers: Record<string, unknown>
  body: { bytes: number; sha256: string; text?: string; base64: string }
}
type Page = { data: Row[]; pagination: { nextCursor: string | null } }

const MOST = 100_000
const PAGE = 100

const call = async <T>(world: World, path: string, body?: unknown): Promise<T> =>
  (await (await ask(world, path, body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) })).json()) as T

/** A time as the API takes it; a duration such as 2h means so long ago. */
const timeOf = (world: World, name: string, raw: string): string =>
  /^[0-9]+(ms|s|m|h)$/.test(raw) ? new Date(world.now() - duration(name, raw)).toISOString() : raw

const filterOf = (world: World, { reason, device, from, to, parked }: Selection) => ({
  ...(reason !== undefined && { reason }),
  ...(device !== undefined && { deviceId: device }),
  ...(from !== undefined && { from: timeOf(world, 'from', from) }),
  ...(to !== undefined && { to: timeOf(world, 'to', to) }),
  ...(parked !== undefined && { parked }),
})

/** Rows that match, newest first, page by page as they are read: all of them unless `limit` says otherwise. */
export async function* rowsOf(
  world: World,
  selection: Selection,
  state: string,
  limit = Number.POSITIVE_INFINITY,
): AsyncGenerator<Row> {
  const query = new URLSearchParams({ state })
  for (const [name, value] of Object.entries(filterOf(world, selection)))
    for (const item of Array.isArray(value) ? value : [value]) query.append(name, String(item))
  let left = limit
  while (left > 0) {
    query.set('limit', String(Math.min(left, PAGE)))
    const { data, pagination } = await call<Page>(world, `/api/dlq?${query}`)
    yield* data
    left -= data.length
    if (pagination.nextCursor === null) return
    query.set('cursor', pagination.nextCursor)
  }
}

export const listDeadLetters = async (
  world: World,
  selection: Selection & { state: string },
  output: Output,
): Promise<number> => {
  const rows: Row[] = []
  const limit = whole('limit', selection.limit ?? '20', 1, MOST)
  for await (const row of rowsOf(world, selection, selection.state, limit)) rows.push(row)
  if (output === 'json') world.out(json(rows))
  else
    world.out(
      toTable(
        ['ID', 'REASON', 'DEVICE', 'REPLAYS', 'ARCHIVED', 'DETAIL'],
        rows.map(({ id, reason, deviceId = '-', replays, archivedAt, detail }) => [
          id,
          reason,
          deviceId,
          String(replays),
          archivedAt,
          detail.slice(0, 60),
        ]),
      ),
    )
  return EXIT.ok
}

export const showDeadLetter = async (world: World, id: string, output: Output): Promise<number> => {
  const letter = await call<Letter>(world, `/api/dlq/${encodeURIComponent(id)}`)
  if (output === 'json') world.out(json(letter))
  else {
    const { headers, body, properties: _, ...row } = letter as Letter & { properties: unknown }
    const lines = [...Object.entries(row), ...Object.entries(headers)].map(([name, value]) => [
      name,
      typeof value === 'string' ? value : JSON.stringify(value),
    ])
    world.out(`${toTable(['FIELD', 'VALUE'], lines)}\n\n${body.text ?? `${body.bytes} bytes that are no text`}`)
  }
  return EXIT.ok
}

export const deadLetterStats = async (world: World, output: Output): Promise<number> => {
  const summary = await call<{ total: number; oldestAt?: string; byReason: Record<string, number> }>(
    world,
    '/api/dlq/summary',
  )
  if (output === 'json') world.out(json(summary))
  else {
    const rows = Object.entries(summary.byReason).sort(([, a], [, b]) => b - a)
    world.out(
      toTable(
        ['REASON', 'OPEN'],
        [...rows.map(([reason, count]) => [reason, String(count)]), ['all', String(summary.total)]],
      ),
    )
    if (summary.oldestAt !== undefined) world.tell(`the oldest is of ${summary.oldestAt}`)
  }
  return EXIT.ok
}

/** Every dead letter that matches as a line of JSON, with all that is known of it. */
export const exportDeadLetters = async (world: World, selection: Selection & { state: string }): Promise<number> => {
  const limit = selection.limit === undefined ? undefined : whole('limit', selection.limit, 1, MOST)
  let count = 0
  // One more than is wanted: whether there are more must be told.
  for await (const { id } of rowsOf(world, selection, selection.state, limit === undefined ? undefined : limit + 1)) {
    if (count === limit) {
      world.tell(`${count} exported, the newest; more match, and a discard begins with the oldest`)
      return EXIT.ok
    }
    world.out(JSON.stringify(await call<Letter>(world, `/api/dlq/${id}`)))
    count++
    if (world.signal.aborted) return EXIT.interrupted
  }
  world.tell(`${count} exported`)
  return EXIT.ok
}

export type Acting = { kind: 'replay' | 'discard'; because: string; yes: boolean; output: Output }

const VERB = { replay: 'Replay', discard: 'Discard' } as const

/** Replays or discards one dead letter. */
export const actOnOne = async (world: World, id: string, { kind, because, yes, output }: Acting): Promise<number> => {
  const path = `/api/dlq/${encodeURIComponent(id)}`
  const { reason, deviceId, detail } = await call<Letter>(world, path)
  await agreed(world, `${VERB[kind]} ${id} (${reason}, device ${deviceId ?? 'unknown'}: ${detail})?`, yes)
  const row = await call<Row>(world, `${path}/${kind}`, kind === 'discard' ? { reason: because } : {})
  world.out(output === 'json' ? json(row) : `${id} ${row.state}`)
  return EXIT.ok
}

/** Replays or discards all that match: counts first, asks, and follows the operation. */
export const actOnMany = async (
  world: World,
  selection: Selection,
  rate: string,
  dryRun: boolean,
  { kind, because, yes, output }: Acting,
): Promise<number> => {
  const asked = {
    filter: filterOf(world, selection),
    limit: whole('limit', selection.limit ?? String(MOST), 1, MOST),
    ratePerSecond: positive('rate', rate),
  }
  const path = `/api/dlq/${kind}s`
  const counted = await call<{ matched: number; total: number; byReason: Record<string, number> }>(world, path, {
    ...asked,
    dryRun: true,
  })
  const reasons = Object.entries(counted.byReason).map(([reason, count]) => `${reason} ${count}`)
  const summary = `${counted.matched} dead letters match${reasons.length > 0 ? ` (${reasons.join(', ')})` : ''}.`
  if (dryRun) {
    world.out(output === 'json' ? json(counted) : summary)
    return EXIT.ok
  }
  if (counted.total === 0) {
    world.tell(summary)
    return EXIT.ok
  }
  await agreed(world, `${summary} ${VERB[kind]} ${counted.total} of them?`, yes)
  const started = await call<OperationView>(world, path, { ...asked, ...(kind === 'discard' && { reason: because }) })
  const { operation, exit } = await follow(world, started, (id) => call(world, `/api/operations/${id}`))
  if (output === 'json') world.out(json(operation))
  else if (exit !== EXIT.interrupted) world.out(outcomeLine(operation))
  return exit
}
