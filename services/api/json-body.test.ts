import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import express from 'express'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { closeServer, listen } from '#runtime/probe.ts'
import { bodyOf, readJson } from './json-body.ts'
import { answerErrors } from './refusal.ts'

const app = express()
  .post('/', readJson, (request: express.Request, response: express.Response) => void response.json(bodyOf(request)))
  .use(answerErrors(pino({ level: 'silent' })))
const server = createServer(app)
beforeAll(() => listen(server, 0))
afterAll(() => closeServer(server))

const post = async (body: Buffer | string, headers: Record<string, string>) => {
  const { port } = server.address() as AddressInfo
  const sent = { 'content-type': 'application/json', connection: 'close', ...headers }
  const answer = await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body, headers: sent })
  return { status: answer.status, ...((await answer.json()) as object) }
}

it.each<[string, Buffer | string, Record<string, string>, object]>([
  ['compressed', gzipSync('{"a":1}'), { 'content-encoding': 'gzip' }, { status: 200, a: 1 }],
  ['no JSON', '{', {}, { status: 400, detail: 'the body is not JSON' }],
  [
    'not compressed as it says',
    '{"a":1}',
    { 'content-encoding': 'gzip' },
    { status: 400, detail: 'the body cannot be read: incorrect header check' },
  ],
  [
    'a bomb',
    gzipSync(Buffer.alloc(10_000_000, 0x20)),
    { 'content-encoding': 'gzip' },
    { status: 413, detail: 'expected at most 64kb' },
  ],
  ['of an unknown encoding', '{}', { 'content-encoding': 'rot13' }, { status: 415 }],
  ['of an unknown charset', '{}', { 'content-type': 'application/json; charset=latin9' }, { status: 415 }],
  ['of another type', '{}', { 'content-type': 'text/plain' }, { status: 415, detail: 'expected application/json' }],
])('a body that is %s', async (_, body, headers, expected) => expect(await post(body, headers)).toMatchObject(expected))
