import { beforeAll, describe, expect, it } from 'vitest'
import { sha256Hex } from '#contract/digest.ts'
import { address, eventually, secret } from './cluster.ts'
import { DEVICE, openDevice, recording } from './device.ts'

const BODY = recording({ timestamp: 1735683481000 })

let ask: (path: string, init?: RequestInit) => Promise<Response>
let raw: string
let id: string

beforeAll(async () => {
  const base = `http://${await address('leipzig-api')}:8080`
  const authorization = `Bearer ${await secret('leipzig-keys', 'api-admin-token')}`
  ask = (path, init = {}) => fetch(`${base}${path}`, { ...init, headers: { authorization, ...init.headers } })
  await eventually('the API to answer', 90, async () => (await ask('/api/health')).status)
  const { body } = await (await openDevice('leipzig'))(BODY)
  id = await eventually('the recording to be readable', 150, async () => {
    const { data } = (await (await ask(`/api/signals?deviceId=${DEVICE}&sort=processedAt`)).json()) as {
      data: { id: string; messageId: string }[]
    }
    return data.find(({ messageId }) => messageId === body.messageId)?.id
  })
  raw = `/api/signals/${id}/raw`
})

describe('the raw bytes', () => {
  it('come as the device sent them, with their digest', async () => {
    const answer = await ask(raw)
    expect(await answer.text()).toBe(BODY)
    const base64 = Buffer.from(sha256Hex(BODY), 'hex').toString('base64')
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      etag: `"sha256-${sha256Hex(BODY)}"`,
      'repr-digest': `sha-256=:${base64}:`,
      'content-type': 'application/json',
      'content-length': String(BODY.length),
      'content-disposition': 'attachment; filename="raw_payload_1735683481000.json"',
      'x-content-type-options': 'nosniff',
    })
  })
  it('come in part', async () => {
    const answer = await ask(raw, { headers: { range: 'bytes=5-9' } })
    expect([answer.status, answer.headers.get('content-range'), await answer.text()]).toEqual([
      206,
      `bytes 5-9/${BODY.length}`,
      BODY.slice(5, 10),
    ])
  })
  it('are not sent again to who has them', async () =>
    expect((await ask(raw, { headers: { 'if-none-match': `"sha256-${sha256Hex(BODY)}"` } })).status).toBe(304))
  it('are described without being sent', async () => {
    const answer = await ask(raw, { method: 'HEAD' })
    expect([answer.status, answer.headers.get('content-length'), await answer.text()]).toEqual([
      200,
      String(BODY.length),
      '',
    ])
    expect(await (await ask(`${raw}/metadata`)).json()).toMatchObject({
      rawPayloadId: id,
      filename: 'raw_payload_1735683481000.json',
      length: BODY.length,
      chunkSize: 261120,
      sha256: sha256Hex(BODY),
      deviceId: DEVICE,
    })
  })
})

describe('a request that cannot be answered is answered with a problem', () => {
  it.each<[number, string, () => Promise<Response>]>([
    [401, 'unauthenticated', () => ask('/api/signals', { headers: { authorization: 'Bearer wrong' } })],
    [400, 'malformed', () => ask('/api/signals/x')],
    [400, 'invalid_parameter', () => ask('/api/signals?deviceid=1')],
    [400, 'page_too_deep', () => ask('/api/signals?page=101&limit=100')],
    [404, 'not_found', () => ask(`/api/signals/${'0'.repeat(24)}`)],
    [404, 'not_found', () => ask('/api/nowhere')],
    [405, 'method_not_allowed', () => ask('/api/signals', { method: 'POST' })],
    [416, 'range_not_satisfiable', () => ask(raw, { headers: { range: 'bytes=99999-' } })],
    [400, 'malformed', () => ask('/api/signals/%E0%A4%A')],
  ])('%d %s', async (status, code, request) => {
    const answer = await request()
    expect(answer.headers.get('content-type')).toContain('application/problem+json')
    expect(await answer.json()).toMatchObject({ status, code, requestId: answer.headers.get('x-request-id') })
    expect(answer.status).toBe(status)
  })
})

it('health tells a stranger the state, and who has the token what it rests on', async () => {
  const stranger = (await (await ask('/api/health', { headers: { authorization: '' } })).json()) as Record<
    string,
    unknown
  >
  expect(stranger).toMatchObject({ status: 'ok' })
  expect(stranger.checks).toBeUndefined()
  const known = (await (await ask('/api/health')).json()) as { checks: Record<string, { status: string }> }
  expect(Object.entries(known.checks).map(([name, { status }]) => `${name} ${status}`)).toEqual([
    'mongodb up',
    'rabbitmq up',
    'redis up',
  ])
})
