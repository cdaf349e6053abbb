import { connect } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { exchange, head, type Ingest, openIngest, recording, send, xray1 } from '../../tests/network/ingest.ts'
import { createRoom } from './body.ts'

let ingest: Ingest
beforeAll(async () => {
  ingest = await openIngest()
})
afterAll(() => ingest.close())

const BODY = recording()
const LENGTH = String(Buffer.byteLength(BODY))
const MOST = 261_120
const padded = (bytes: number): string => BODY + ' '.repeat(bytes - BODY.length)
const chunk = (data: string): string => `${data.length.toString(16)}\r\n${data}\r\n`
const statuses = (answers: { status: number }[]): number[] => answers.map(({ status }) => status)

describe('a body', () => {
  it('may have as many bytes as one chunk of GridFS', async () =>
    expect((await send(ingest.port, padded(MOST), xray1(padded(MOST)))).status).toBe(202))
  it('that is announced as one byte more is refused before it is sent', async () => {
    const headers = { ...xray1(BODY), 'content-length': String(MOST + 1) }
    expect(statuses(await exchange(ingest.port, head(headers)))).toEqual([413])
  })
  it('that has one byte more without saying so is refused while it streams', async () => {
    const headers = { ...xray1(padded(MOST + 1)), 'transfer-encoding': 'chunked' }
    expect(statuses(await exchange(ingest.port, head(headers), chunk(padded(MOST)), chunk(' ')))).toEqual([413])
  })
  it('may come in chunks', async () => {
    const headers = { ...xray1(BODY), 'transfer-encoding': 'chunked', connection: 'close' }
    const parts = [chunk(BODY.slice(0, 9)), chunk(BODY.slice(9)), '0\r\n\r\n']
    expect(statuses(await exchange(ingest.port, head(headers), ...parts))).toEqual([202])
  })
  it.each([
    ['no hex', 'zz\r\n'],
    ['a length of its own choosing', 'ffffffffffffffffff\r\n'],
  ])('whose chunks begin with %s is malformed', async (_, data) => {
    const headers = { ...xray1(BODY), 'transfer-encoding': 'chunked' }
    expect(statuses(await exchange(ingest.port, head(headers), data))).toEqual([400])
  })
  it('that is compressed is refused before it is read, however large it would become', async () => {
    // Members one behind the other: 200 MB that cost no seconds to make.
    const bomb = Buffer.concat(Array(200).fill(gzipSync(Buffer.alloc(1_000_000))))
    const headers = { ...xray1(bomb), 'content-encoding': 'gzip', 'content-length': String(bomb.length) }
    expect(statuses(await exchange(ingest.port, head(headers)))).toEqual([415])
  })
  it('of another type is refused before it is read', async () => {
    const headers = { ...xray1(BODY), 'content-type': 'text/plain', 'content-length': LENGTH }
    expect(statuses(await exchange(ingest.port, head(headers)))).toEqual([415])
  })
  it('for which there is no room now is to come later', async () => {
    const full = await openIngest({ room: createRoom(100) })
    const answer = await send(full.port, padded(101), xray1(padded(101)))
    expect([answer.status, answer.headers]).toEqual([503, expect.stringContaining('retry-after')])
    await full.close()
  })
  it('takes room for what holds its chunks, too: one of a byte takes hundreds in memory', async () => {
    const full = await openIngest({ room: createRoom(100_000) })
    const chunked = { ...xray1(padded(1_000)), 'transfer-encoding': 'chunked', connection: 'close' }
    const bytes = [...padded(1_000)].map(chunk).join('')
    expect(statuses(await exchange(full.port, head(chunked), bytes, '0\r\n\r\n'))).toEqual([503])
    expect((await send(full.port, padded(1_000), xray1(padded(1_000)))).status).toBe(202)
    await full.close()
  })
  it('gives its room back, whatever became of it', async () => {
    let taken = 0
    const room = createRoom(1_000_000)
    const counted = await openIngest({
      room: {
        take: (bytes) => {
          taken += bytes
          return room.take(bytes)
        },
        give: (bytes) => {
          taken -= bytes
        },
      },
    })
    await send(counted.port, BODY, xray1(BODY))
    const chunked = { ...xray1(BODY), 'transfer-encoding': 'chunked', connection: 'close' }
    const bytes = [...BODY].map(chunk).join('')
    expect(statuses(await exchange(counted.port, head(chunked), bytes, '0\r\n\r\n'))).toEqual([202])
    await send(counted.port, BODY, { ...xray1(BODY), 'x-signature': `v1=${'0'.repeat(64)}` })
    const endless = { ...xray1(BODY), 'transfer-encoding': 'chunked' }
    expect(statuses(await exchange(counted.port, head(endless), chunk(padded(MOST + 1))))).toEqual([413])
    await counted.close()
    expect(taken).toBe(0)
  })
})

describe('a sender that leaves early', () => {
  it.each([
    ['in the middle of its body', head({ ...xray1(BODY), 'content-length': LENGTH }) + BODY.slice(0, 9)],
    [
      'in the middle of a chunk',
      `${head({ ...xray1(BODY), 'transfer-encoding': 'chunked' })}${chunk(BODY).slice(0, 20)}`,
    ],
    ['in the middle of its headers', 'POST /v1/ingest HTTP/1.1\r\nhost: i'],
  ])('%s publishes nothing and does no harm', async (_, bytes) => {
    const before = ingest.published.length
    await new Promise<void>((resolve) => {
      const socket = connect(ingest.port, '127.0.0.1', () => socket.end(bytes))
      socket.resume().on('close', resolve).on('error', resolve)
    })
    expect((await send(ingest.port, BODY, xray1(BODY))).status).toBe(202)
    expect(ingest.published.length).toBe(before + 1)
  })
})

describe('a head', () => {
  it('with two lengths is malformed', async () => {
    const headers = { ...xray1(BODY), 'content-length': [LENGTH, LENGTH] }
    expect(statuses(await exchange(ingest.port, head(headers), BODY))).toEqual([400])
  })
  it('with a length and chunks is malformed: two readers could take it for two things', async () => {
    const headers = { ...xray1(BODY), 'content-length': LENGTH, 'transfer-encoding': 'chunked' }
    expect(statuses(await exchange(ingest.port, head(headers), chunk(BODY)))).toEqual([400])
  })
  it('of more than 8 KB is refused', async () =>
    expect(statuses(await exchange(ingest.port, head({ ...xray1(BODY), more: 'a'.repeat(9000) })))).toEqual([431]))
  it('with NUL in it is malformed', async () =>
    expect(statuses(await exchange(ingest.port, head({ ...xray1(BODY), more: 'a\0b' })))).toEqual([400]))
  it.each(['GET', 'PUT', 'DELETE', 'OPTIONS'])('of %s is told what is allowed', async (method) => {
    const [answer] = await exchange(ingest.port, head({ connection: 'close' }, '/v1/ingest', method))
    expect([answer?.status, answer?.headers]).toEqual([405, expect.stringContaining('allow: POST')])
  })
})

describe('a sender that asks before it sends its body', () => {
  const asking = { 'content-length': LENGTH, expect: '100-continue', connection: 'close' }
  it('is told to go on when its headers are right', async () => {
    const answers = await exchange(ingest.port, head({ ...xray1(BODY), ...asking }), () => BODY)
    expect(statuses(answers)).toEqual([100, 202])
  })
  it.each([
    ['its headers are wrong', { 'x-nonce': 'a' }, 400],
    ['its clock is wrong', { 'x-timestamp': '1735000000' }, 401],
    ['its body is too large', { 'content-length': String(MOST + 1) }, 413],
  ])('is not when %s', async (_, change, status) => {
    const answers = await exchange(ingest.port, head({ ...xray1(BODY), ...asking, ...change }))
    expect(statuses(answers)).toEqual([status])
  })
  it('of anything else is refused', async () => {
    const [answer] = await exchange(ingest.port, head({ ...xray1(BODY), ...asking, expect: 'mercy' }))
    expect(answer?.status).toBe(417)
  })
})

it('requests that come one behind the other are answered in their order', async () => {
  const last = { ...xray1(BODY), 'content-length': LENGTH, connection: 'close' }
  const bad = { ...xray1(BODY), 'x-nonce': 'a', 'content-length': LENGTH }
  const one = head({ ...xray1(BODY), 'content-length': LENGTH }) + BODY
  expect(
    statuses(await exchange(ingest.port, one + one.replace('x-nonce: ', 'x-nonce: A') + head(last) + BODY)),
  ).toEqual([202, 401, 202])
  // The rest of a body that was never read must not be taken for a request.
  expect(statuses(await exchange(ingest.port, head(bad) + BODY.slice(0, 5)))).toEqual([400])
})

describe('a sender that takes its time', () => {
  it.each([
    ['over its headers', ['POST /v1/ingest HTTP/1.1\r\n', 'x-a: 1\r\n']],
    ['over its body', [head({ ...xray1(BODY), 'content-length': LENGTH }), '{', '"']],
  ])('%s is shut out, and others are served meanwhile', async (_, [first = '', ...rest]) => {
    const slow = await openIngest()
    slow.server.headersTimeout = 500
    slow.server.requestTimeout = 500
    const answers = exchange(slow.port, first, ...rest)
    expect((await send(slow.port, BODY, xray1(BODY))).status).toBe(202)
    expect(statuses(await answers)).toEqual([408])
    expect(slow.published).toHaveLength(1)
    await slow.close()
  })
})

/**
 * The most CPU time that one turn of the event loop took while something ran, in ms. Not the time on the clock, which
 * would count whatever else this machine does.
 */
const longestTurn = async (run: () => Promise<unknown>): Promise<number> => {
  const usedMs = (): number => {
    const { user, system } = process.threadCpuUsage()
    return (user + system) / 1000
  }
  let [longest, last, running] = [0, usedMs(), true]
  const watch = (): void => {
    const now = usedMs()
    longest = Math.max(longest, now - last)
    last = now
    if (running) setImmediate(watch)
  }
  setImmediate(watch)
  await run()
  await new Promise((resolve) => setImmediate(resolve))
  running = false
  return longest
}

const RUNS = 5

describe('the event loop never stands still for 50 ms', () => {
  const batch = (body: string) => ({ body, path: '/v1/ingest/batch' })
  const full = (unit: string) => unit.repeat(Math.floor(8_388_608 / unit.length))
  const items = (count: number, body: string) =>
    JSON.stringify({
      items: Array.from({ length: count }, (_, i) => ({
        nonce: `${String(i).padStart(3, '0')}${'A'.repeat(21)}`,
        body,
      })),
    })
  const largest = `{"deviceId":"66bb584d4ae73e488c30a072","timestamp":1735683480000,"data":[${Array(1000).fill('[1,[51.3397641234567,12.339223833333334,1.2038000000000002]]').join(', ')}]}`
  it.each<[string, { body: string; path?: string }]>([
    ['by nesting', { body: '['.repeat(MOST) }],
    ['by a hundred thousand empty lists', { body: `[${'[],'.repeat(87_000)}[]]` }],
    ['by the largest recording', { body: largest }],
    ['by quotes', { body: '"'.repeat(MOST) }],
    ['by a batch of lists', batch(`{"items":[${full('[],').slice(0, -20)}`)],
    ['by a batch of blanks', batch(full(' '))],
    ['by a batch that is one string', batch(`{"items":[{"nonce":"a","body":"${full('\\"').slice(0, -40)}"}]}`)],
    ['by a batch of recordings', batch(items(100, largest))],
    ['by a batch of nested lists', batch(items(31, '['.repeat(MOST)))],
  ])('%s', async (_, { body, path = '/v1/ingest' }) => {
    const bytes = Buffer.from(body)
    const turns: number[] = []
    // What an input costs, it costs each time; what the compiler, the collector and neighbours add, they add once.
    for (let run = 0; run < RUNS; run++) {
      const own = await openIngest()
      const longest = await longestTurn(async () => {
        const { status } = await send(own.port, bytes, xray1(bytes, { path }), path)
        expect([202, 207, 422]).toContain(status)
      })
      turns.push(longest)
      expect(own.results).not.toContain('internal')
      await own.close()
    }
    expect(Math.min(...turns)).toBeLessThan(50)
  })
  it('and a loop that does would be seen', async () =>
    expect(
      await longestTurn(async () => {
        const until = process.threadCpuUsage().user + 80_000
        while (process.threadCpuUsage().user < until);
      }),
    ).toBeGreaterThan(50))
})

it('no input was ever answered with 5xx', () => expect(ingest.results).not.toContain('internal'))
