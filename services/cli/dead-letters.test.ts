import { createServer, type Server } from 'node:http'
import { afterEach, expect, it } from 'vitest'
import { runCommandLine } from './arguments.ts'
import type { World } from './commands.ts'
import { rowsOf } from './dead-letters.ts'
import { EXIT, type Failure } from './failure.ts'
import { progressLine } from './operation.ts'
import { findSettings } from './settings.ts'

const ID = 'ab'.repeat(12)
const LETTER = { id: ID, reason: 'schema_invalid', deviceId: 'd', detail: 'why', headers: {}, body: { text: '{}' } }
const running = { id: 'op1', kind: 'replay', state: 'running', total: 3, done: 0, failed: 0, errors: [] }
const counted = { matched: 3, total: 3, byReason: { schema_invalid: 3 } }

type Answers = Record<string, unknown[]>
const open = new Set<Server>()
afterEach(() => {
  for (const server of open) server.close()
  open.clear()
})

const serve = async (answers: Answers) => {
  const seen: string[] = []
  const server = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray()).toString()
    seen.push(`${request.method} ${request.url}${body === '' ? '' : ` ${body}`}`)
    const planned = answers[`${request.method} ${request.url?.split('?')[0]}`]
    const answer = planned !== undefined && planned.length > 1 ? planned.shift() : planned?.[0]
    response.writeHead(answer === undefined ? 404 : 200).end(JSON.stringify(answer ?? { code: 'not_found' }))
  })
  open.add(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address() as { port: number }
  return { url: `http://127.0.0.1:${address.port}`, seen }
}

/** What reads an API that gives each request its next planned answer. */
const worldOf = async (answers: Answers): Promise<World> => {
  const { url } = await serve(answers)
  return { settings: findSettings({ api: url, token: 'x' }, {}, undefined) } as World
}

/**
 * Runs a command against an API that gives each request its next planned answer, and refuses one that is not planned.
 * @param interrupt how many waits until the user interrupts
 */
const run = async (
  argv: string[],
  answers: Answers,
  { terminal = false, yes = true, interrupt = Number.POSITIVE_INFINITY } = {},
) => {
  const { url, seen } = await serve(answers)
  const [out, told]: [string[], string[]] = [[], []]
  const interrupted = new AbortController()
  let nowMs = 0
  let waits = 0
  const unplanned = () => {
    throw new Error('unplanned')
  }
  const exit = await runCommandLine(['dlq', ...argv, '--api', url, '--token', 'x'], (flags) => ({
    settings: findSettings(flags, {}, undefined),
    cluster: unplanned,
    out: (data) => void out.push(String(data)),
    tell: (line) => void told.push(line),
    print: unplanned,
    read: unplanned,
    write: unplanned,
    input: process.stdin,
    now: () => nowMs,
    nonce: unplanned,
    delay: async (ms: number) => {
      nowMs += ms
      if (++waits >= interrupt) interrupted.abort()
    },
    signal: interrupted.signal,
    nodeVersion: '',
    screen: false,
    colour: false,
    terminal: { interactive: terminal, draw: (line) => void told.push(line), confirm: async () => yes },
  })).catch((error: Failure) => {
    told.push(error.message)
    return error.exit
  })
  return { exit, out: out.join('\n'), told: told.join('\n'), seen }
}

it('counts first and asks; without a terminal and without -y nothing is done', async () => {
  const { exit, told, seen } = await run(['replay', '--reason', 'schema_invalid'], {
    'POST /api/dlq/replays': [counted],
  })
  expect(exit).toBe(EXIT.refused)
  expect(told).toContain('3 dead letters match (schema_invalid 3). Replay 3 of them?')
  expect(seen).toEqual([
    'POST /api/dlq/replays {"filter":{"reason":["schema_invalid"]},"limit":100000,"ratePerSecond":50,"dryRun":true}',
  ])
})

it('does nothing when the answer is no', async () => {
  const { exit, seen } = await run(['replay'], { 'POST /api/dlq/replays': [counted] }, { terminal: true, yes: false })
  expect([exit, seen.length]).toEqual([EXIT.refused, 1])
})

it('only counts with --dry-run', async () => {
  const { exit, out, seen } = await run(['replay', '--dry-run'], { 'POST /api/dlq/replays': [counted] })
  expect([exit, out, seen.length]).toEqual([EXIT.ok, '3 dead letters match (schema_invalid 3).', 1])
})

it.each([
  ['all were replayed', { state: 'done', done: 3 }, EXIT.ok, '3 of 3 replayed'],
  [
    'some failed',
    { state: 'done', done: 2, failed: 1, errors: [{ id: 'x', error: 'returned' }] },
    EXIT.partial,
    '2 of 3 replayed, 1 failed and stay open, first: x returned',
  ],
  ['it was cancelled', { state: 'cancelled', done: 1 }, EXIT.partial, '1 of 3 replayed, cancelled'],
])('follows the operation and tells that %s', async (_, end, code, line) => {
  const { exit, out } = await run(['replay', '-y', '--rate', '5', '--limit', '3'], {
    'POST /api/dlq/replays': [counted, running],
    'GET /api/operations/op1': [running, { ...running, done: 1 }, { ...running, ...end }],
  })
  expect([exit, out]).toEqual([code, line])
})

it('an interruption detaches, and says how to look again', async () => {
  const { exit, told, seen } = await run(
    ['replay', '-y'],
    { 'POST /api/dlq/replays': [counted, running], 'GET /api/operations/op1': [running] },
    { interrupt: 3 },
  )
  expect(exit).toBe(EXIT.interrupted)
  expect(told).toContain('the operation goes on: "xrayctl ops watch op1"')
  expect(seen.filter((request) => request.startsWith('DELETE'))).toEqual([])
})

it('without a terminal it tells how far it is every 10 s', async () => {
  const looks = Array.from({ length: 45 }, (_, index) => ({ ...running, total: 100, done: index }))
  const { told } = await run(['replay', '-y'], {
    'POST /api/dlq/replays': [counted, { ...running, total: 100 }],
    'GET /api/operations/op1': [...looks, { ...running, state: 'done', done: 100, total: 100 }],
  })
  const lines = told.split('\n')
  expect(lines).toHaveLength(2)
  expect(lines[0]).toMatch(/^replaying {2}█+░+ 19\/100 {2}1\.9\/s {2}failed 0 {2}eta 43s {2}operation op1$/)
})

it('discards one by its id, with the reason', async () => {
  const { exit, out, seen } = await run(['discard', ID, '-y', '--because', 'a test'], {
    [`GET /api/dlq/${ID}`]: [LETTER],
    [`POST /api/dlq/${ID}/discard`]: [{ ...LETTER, state: 'discarded' }],
  })
  expect([exit, out]).toEqual([EXIT.ok, `${ID} discarded`])
  expect(seen.at(-1)).toBe(`POST /api/dlq/${ID}/discard {"reason":"a test"}`)
})

it('lists over as many pages as it takes', async () => {
  const page = (ids: number[], nextCursor: string | null) => ({
    data: ids.map((id) => ({ id: String(id), reason: 'r', detail: 'd', replays: 0, archivedAt: 'now' })),
    pagination: { nextCursor },
  })
  const { out, seen } = await run(['list', '--limit', '150', '--from', '1h', '-o', 'json'], {
    'GET /api/dlq': [
      page(
        Array.from({ length: 100 }, (_, id) => id),
        'c1',
      ),
      page([100, 101], null),
    ],
  })
  expect(JSON.parse(out)).toHaveLength(102)
  expect(seen).toEqual([
    'GET /api/dlq?state=open&from=1969-12-31T23%3A00%3A00.000Z&limit=100',
    'GET /api/dlq?state=open&from=1969-12-31T23%3A00%3A00.000Z&limit=50&cursor=c1',
  ])
})

it('what an export reads has no end but that of the list: a discard with the same filter would take the rest', async () => {
  const rows = (count: number) => Array.from({ length: count }, () => ({ id: ID }))
  const world = await worldOf({
    'GET /api/dlq': [
      { data: rows(100_000), pagination: { nextCursor: 'c1' } },
      { data: rows(1), pagination: { nextCursor: null } },
    ],
  })
  let count = 0
  for await (const _ of rowsOf(world, {}, 'open')) count++
  expect(count).toBe(100_001)
})

it('an export goes on from page to page', async () => {
  const { exit, out, seen } = await run(['export'], {
    'GET /api/dlq': [
      { data: [{ id: ID }], pagination: { nextCursor: 'c1' } },
      { data: [{ id: ID }], pagination: { nextCursor: null } },
    ],
    [`GET /api/dlq/${ID}`]: [LETTER],
  })
  expect([exit, out.split('\n').length]).toEqual([EXIT.ok, 2])
  expect(seen.filter((request) => request.includes('?'))).toEqual([
    'GET /api/dlq?state=open&limit=100',
    'GET /api/dlq?state=open&limit=100&cursor=c1',
  ])
})

it('an export ends with a failure when one of them cannot be had', async () => {
  const { exit, told } = await run(['export'], {
    'GET /api/dlq': [{ data: [{ id: ID }, { id: 'gone' }], pagination: { nextCursor: null } }],
    [`GET /api/dlq/${ID}`]: [LETTER],
  })
  expect([exit, told]).toEqual([EXIT.notFound, 'the API answered 404 not_found: no reason given'])
})

it('an export that is told to stop says when it left some out', async () => {
  const answers = (ids: string[]) => ({
    'GET /api/dlq': [{ data: ids.map((id) => ({ id })), pagination: { nextCursor: null } }],
    [`GET /api/dlq/${ID}`]: [LETTER],
  })
  expect(await run(['export', '--limit', '1'], answers([ID]))).toMatchObject({ told: '1 exported' })
  expect(await run(['export', '--limit', '1'], answers([ID, 'other']))).toMatchObject({
    exit: EXIT.ok,
    out: JSON.stringify(LETTER),
    told: '1 exported, the newest; more match, and a discard begins with the oldest',
  })
})

it('exports every one whole, a line each', async () => {
  const { out } = await run(['export'], {
    'GET /api/dlq': [{ data: [{ id: ID }], pagination: { nextCursor: null } }],
    [`GET /api/dlq/${ID}`]: [LETTER],
  })
  expect(JSON.parse(out)).toEqual(LETTER)
})

it.each([
  [['show', ID], EXIT.notFound],
  [['replay', ID, '-y'], EXIT.notFound],
  [['replay', '--rate', 'abc', '-y'], EXIT.usage],
  [['replay', '--limit', '0', '-y'], EXIT.usage],
  [['list', '--state', 'dead'], EXIT.usage],
  [['list', '--from', '9999999999h'], EXIT.usage],
  [['list', '--reasn', 'x'], EXIT.usage],
  [[], EXIT.usage],
])('%j ends with %d', async (argv, code) => expect((await run(argv, {})).exit).toBe(code))

it('a line of progress never goes beyond its end', () => {
  const over = { ...running, kind: 'discard', state: 'running', done: 9 } as const
  expect(progressLine({ ...over, errors: [] }, 1000, 9)).toBe(
    'discarding  ████████████████████ 9/3  9.0/s  failed 0  operation op1',
  )
})
