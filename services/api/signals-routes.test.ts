import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { Binary, ObjectId } from 'mongodb'
import { pino } from 'pino'
import { afterEach, describe, expect, it } from 'vitest'
import { sha256Hex } from '#contract/digest.ts'
import { closeServer, listen } from '#runtime/probe.ts'
import type { Store } from '#runtime/signal-store.ts'
import { answerErrors } from './refusal.ts'
import { signalsRoutes } from './signals-routes.ts'

const BODY = Buffer.from('{"a":1}')
const ID = new ObjectId('66bb584d4ae73e488c30a072')
const SIGNAL = { _id: ID, rawPayloadId: ID, timestamp: 1, dataVolume: BODY.length, rawSha256: sha256Hex(BODY) }

const failed = async (): Promise<never> => {
  throw Object.assign(new Error('no server'), { name: 'MongoServerSelectionError' })
}
const finding = (document: object | null) => async () => document

const open = new Set<() => Promise<void>>()
afterEach(async () => {
  for (const close of open) await close()
  open.clear()
})

/** Asks for the raw bytes of a store that answers as it is told. */
const askFor = async (signal: () => Promise<object | null>, chunk: () => Promise<object | null>, init: RequestInit) => {
  const store = { signals: { findOne: signal }, chunks: { findOne: chunk } } as unknown as Store
  const app = express()
    .use('/api/signals', signalsRoutes(store))
    .use(answerErrors(pino({ level: 'silent' })))
  const server = createServer(app)
  await listen(server, 0)
  open.add(() => closeServer(server))
  const { port } = server.address() as AddressInfo
  const headers = { connection: 'close', ...init.headers }
  return fetch(`http://127.0.0.1:${port}/api/signals/${ID}/raw`, { ...init, headers })
}

const part = (range: string): RequestInit => ({ headers: { range: `bytes=${range}` } })
const whole = finding({ data: new Binary(BODY) })

describe('raw bytes', () => {
  it.each<[number, RequestInit]>([
    [200, {}],
    [200, { method: 'HEAD' }],
    [206, { headers: { range: 'bytes=2-3' } }],
    [304, { headers: { 'if-none-match': `"sha256-${sha256Hex(BODY)}"` } }],
  ])('that are answered with %d %j may be kept for ever', async (status, init) => {
    const answer = await askFor(finding(SIGNAL), whole, init)
    expect([answer.status, answer.headers.get('cache-control')]).toEqual([
      status,
      'private, max-age=31536000, immutable',
    ])
  })

  it.each<[number, string, () => Promise<object | null>, () => Promise<object | null>, RequestInit]>([
    [404, 'has no signal', finding(null), whole, {}],
    [404, 'lost its bytes', finding(SIGNAL), finding(null), {}],
    [404, 'lost its bytes, of which a part is asked for', finding(SIGNAL), finding(null), part('2-3')],
    [416, 'has no such part', finding(SIGNAL), whole, part('7-')],
    [416, 'has no such part, described', finding(SIGNAL), whole, { ...part('7-'), method: 'HEAD' }],
    [503, 'cannot find its signal', failed, whole, {}],
    [503, 'cannot read its bytes', finding(SIGNAL), failed, {}],
    [500, 'has bytes of another shape', finding(SIGNAL), finding({ data: null }), {}],
  ])(
    'a refusal with %d of what %s is never kept, and tells nothing of the bytes',
    async (status, _, signal, chunk, init) => {
      const answer = await askFor(signal, chunk, init)
      expect(answer.status).toBe(status)
      const { 'content-length': length, 'content-type': type, ...headers } = Object.fromEntries(answer.headers)
      expect(headers['cache-control']).toBe('no-store')
      for (const name of ['repr-digest', 'content-disposition', 'accept-ranges'])
        expect(headers).not.toHaveProperty(name)
      expect(headers['content-range']).toBe(status === 416 ? `bytes */${BODY.length}` : undefined)
      if (init.method === 'HEAD') return
      expect(type).toContain('application/problem+json')
      expect(await answer.json()).toMatchObject({ status })
      expect(Number(length)).toBeGreaterThan(BODY.length)
    },
  )
})
