import { afterEach, describe, expect, it } from 'vitest'
import { sha256Hex } from '#contract/digest.ts'
import { messageIdFor } from '#contract/ids.ts'
import { DEVICE, type Ingest, openIngest, recording, rfc9421, send, xray1 } from '../../tests/network/ingest.ts'
import { createRoom } from './body.ts'
import { createRateLimit } from './rate-limit.ts'

const PATH = '/v1/ingest/batch'
const open = new Set<Ingest>()
const opened = async (change: Parameters<typeof openIngest>[0] = {}): Promise<Ingest> => {
  const ingest = await openIngest(change)
  open.add(ingest)
  return ingest
}
afterEach(async () => {
  for (const ingest of open) await ingest.close()
  open.clear()
})

type Item = { nonce: string; body: string }
const nonceOf = (n: number): string => `${String(n).padStart(2, '0')}${'A'.repeat(20)}`
const item = (n: number, body = recording({ timestamp: 1735683480000 + n })): Item => ({ nonce: nonceOf(n), body })
const post = async (ingest: Ingest, items: Item[] | string, sign = xray1) => {
  const body = typeof items === 'string' ? items : JSON.stringify({ items })
  const { status, headers, body: answer } = await send(ingest.port, body, sign(body, { path: PATH }), PATH)
  return { status, headers, ...JSON.parse(answer) } as {
    status: number
    headers: string
    code?: string
    errors?: { pointer: string }[]
    items: { status: number; messageId?: string; replayed?: boolean; problem?: { code: string } }[]
  }
}
const shown = ({ items }: Awaited<ReturnType<typeof post>>) =>
  items.map(({ status, problem }) => problem?.code ?? status)

it('each item is a message of its own: its own bytes, its own nonce, its own name', async () => {
  const ingest = await opened()
  const spaced = ` ${recording()}\n`
  const items = [item(1), item(2, spaced), item(3, recording({ timestamp: 1735683480003 }))]
  const answer = await post(ingest, items)
  expect(answer.status).toBe(207)
  expect(answer.items).toEqual(
    items.map(({ nonce, body }) => ({ status: 202, messageId: messageIdFor(DEVICE, nonce, sha256Hex(body)) })),
  )
  expect(ingest.published.map(({ body }) => body.toString()).sort()).toEqual(items.map(({ body }) => body).sort())
  expect(ingest.results).toEqual(['accepted', 'accepted', 'accepted'])
  expect(ingest.used).toEqual([`${DEVICE}|k1 active`])
})

it('may be signed by RFC 9421', async () =>
  expect(shown(await post(await opened(), [item(1)], rfc9421))).toEqual([202]))

it('answers come in the order of the items, whatever became of each', async () => {
  const ingest = await opened({ outcome: (body) => (body.includes('0007') ? 'nacked' : 'confirmed') })
  const answer = await post(ingest, [
    item(1),
    { ...item(2), nonce: 'short' },
    item(3, '{'),
    item(4, recording({ deviceId: '0'.repeat(24) })),
    item(5, 'x'.repeat(261_121)),
    item(6, '\ud800'),
    item(7),
    item(8),
  ])
  expect(shown(answer)).toEqual([
    202,
    'malformed',
    'schema_invalid',
    'device_mismatch',
    'body_too_large',
    'schema_invalid',
    'unavailable',
    202,
  ])
  expect(answer.headers).toContain('retry-after: 1')
  expect(ingest.published).toHaveLength(2)
})

it('the same batch again publishes nothing, and a single request with the nonce of an item is the same message', async () => {
  const ingest = await opened()
  const items = [item(1), item(2)]
  const first = await post(ingest, items)
  const again = await post(ingest, items)
  expect(again.items).toEqual(first.items.map((each) => ({ ...each, replayed: true })))
  const alone = items[0]?.body ?? ''
  const single = await send(ingest.port, alone, xray1(alone, { nonce: nonceOf(1) }))
  expect(JSON.parse(single.body).messageId).toBe(first.items[0]?.messageId)
  expect(ingest.published).toHaveLength(2)
})

it('a nonce twice in one batch is one message for the same bytes, and refused for others', async () => {
  const ingest = await opened()
  const answer = await post(ingest, [item(1), item(1), item(1, recording({ timestamp: 1735683489999 }))])
  expect(answer.items).toMatchObject([{ status: 202 }, { status: 202, replayed: true }, { status: 409 }])
  expect(ingest.published).toHaveLength(1)
})

it('the rate limit counts items', async () => {
  const ingest = await opened({ rateLimit: createRateLimit(2) })
  const answer = await post(ingest, [item(1), item(2), item(3)])
  expect(shown(answer)).toEqual([202, 202, 'rate_limited'])
  expect(answer.headers).toContain('retry-after: 30')
})

it('all items wait for the broker together', async () => {
  let [waiting, most] = [0, 0]
  const confirms: (() => void)[] = []
  const ingest = await opened({
    publisher: {
      publish: () => {
        most = Math.max(most, ++waiting)
        const confirmed = Promise.withResolvers<'confirmed'>()
        confirms.push(() => confirmed.resolve('confirmed'))
        if (waiting === 20) for (const confirm of confirms) confirm() // a batch that waits one by one never gets here
        return confirmed.promise
      },
    },
  })
  expect(
    shown(
      await post(
        ingest,
        Array.from({ length: 20 }, (_, n) => item(n)),
      ),
    ),
  ).toEqual(Array(20).fill(202))
  expect(most).toBe(20)
})

it('batches have a room of their own: strangers who fill it with theirs shut no single recording out', async () => {
  const ingest = await opened({ batchRoom: createRoom(100) })
  const answer = await post(ingest, [item(1)])
  expect(answer).toMatchObject({ status: 503, code: 'unavailable' })
  expect(answer.headers).toContain('retry-after: 1')
  const alone = recording()
  expect((await send(ingest.port, alone, xray1(alone))).status).toBe(202)
})

describe('a batch that is wrong as a whole is answered as one', () => {
  it.each<[string, string, number, string]>([
    ['no batch', recording(), 422, 'schema_invalid'],
    ['no items', '{"items":[]}', 422, 'schema_invalid'],
    ['101 items', JSON.stringify({ items: Array.from({ length: 101 }, (_, n) => item(n)) }), 422, 'schema_invalid'],
    ['more than 8 MiB', ' '.repeat(8_388_609), 413, 'body_too_large'],
  ])('%s', async (_, body, status, code) => {
    const ingest = await opened()
    expect(await post(ingest, body)).toMatchObject({ status, code })
    expect(ingest.published).toEqual([])
  })
  it('one that was signed for another path', async () => {
    const body = JSON.stringify({ items: [item(1)] })
    const { status } = await send((await opened()).port, body, xray1(body), PATH)
    expect(status).toBe(401)
  })
})
