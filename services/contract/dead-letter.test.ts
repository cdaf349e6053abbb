import { describe, expect, it } from 'vitest'
import {
  DEAD_LETTER_REASONS,
  deadLetterAddress,
  deadLetterHeaders,
  deadLetterIdHex,
  readDeadLetter,
  replayHeaders,
} from './dead-letter.ts'

const ID = 'ab'.repeat(12)
const names = { deadLetterExchange: 'iot.dlx', parkedQueue: 'iot.dlx.parked' }

describe('a dead letter', () => {
  const failure = { reason: 'storage_failed', detail: 'why', failedAtMs: 7 } as const
  it('keeps the headers of the message, loses those of the broker and says why', () =>
    expect(deadLetterHeaders({ 'x-v': 1, 'x-death': [], 'x-first-death-reason': 'expired' }, failure)).toEqual({
      'x-v': 1,
      'x-dlq-reason': 'storage_failed',
      'x-dlq-detail': 'why',
      'x-first-failed-at': 7,
    }))
  it('keeps the time of its first failure', () =>
    expect(deadLetterHeaders({ 'x-first-failed-at': 3 }, failure)['x-first-failed-at']).toBe(3))
  it('cuts a detail at 1 KB without breaking a character', () => {
    const detail = String(deadLetterHeaders({}, { ...failure, detail: 'ü'.repeat(2000) })['x-dlq-detail'])
    expect(Buffer.byteLength(detail)).toBeLessThanOrEqual(1024)
    expect(detail).toMatch(/^ü+$/)
  })
})

describe('a replay', () => {
  const headers = { 'x-v': 1, 'x-kid': 'p1', 'x-attempt': 3, 'x-sig': 'ab', traceparent: '00' }
  const dead = deadLetterHeaders(headers, { reason: 'storage_failed', detail: 'why', failedAtMs: 7 })

  it('carries the headers as they were, the attempts from the start, and which dead letter it was', () =>
    expect(replayHeaders(dead, ID)).toEqual({
      ...headers,
      'x-attempt': 0,
      'x-first-failed-at': 7,
      'x-replay-count': 1,
      'x-replay-of': ID,
    }))
  it('counts on', () => expect(replayHeaders({ 'x-replay-count': 1 }, ID)['x-replay-count']).toBe(2))
  it('takes along nothing that the broker added, and no address that a forger did', () => {
    const forged = {
      'x-death': [],
      'x-last-death-queue': 'q',
      'x-delivery-count': 9,
      CC: ['elsewhere'],
      BCC: ['there'],
    }
    expect(replayHeaders(forged, ID)).toEqual({ 'x-replay-count': 1, 'x-replay-of': ID })
  })
})

describe('a dead letter goes', () => {
  it('to the dead-letter exchange by its reason', () =>
    expect(deadLetterAddress(names, {}, 'schema_invalid')).toEqual({
      exchange: 'iot.dlx',
      routingKey: 'dead.schema_invalid',
    }))
  it('to the parked ones after a replay', () =>
    expect(deadLetterAddress(names, { 'x-replay-count': 1 }, 'schema_invalid')).toEqual({
      exchange: '',
      routingKey: 'iot.dlx.parked',
    }))
  it.each(['1', -1, 1.5, null, Number.NaN, {}])('to the exchange when its count of replays is %j', (count) =>
    expect(deadLetterAddress(names, { 'x-replay-count': count }, 'schema_invalid').exchange).toBe('iot.dlx'),
  )
})

describe('what is read of a dead letter', () => {
  it.each(DEAD_LETTER_REASONS)('%s', (reason) =>
    expect(readDeadLetter({ 'x-dlq-reason': reason, 'x-dlq-detail': 'why' })).toMatchObject({ reason, detail: 'why' }),
  )
  it('is delivery_limit when the broker dead-lettered it, whatever it claims', () => {
    expect(readDeadLetter({}).reason).toBe('delivery_limit')
    expect(readDeadLetter({ 'x-death': [{}], 'x-dlq-reason': 'schema_invalid' }).reason).toBe('delivery_limit')
  })
  it('is nothing that was forged out of shape', () =>
    expect(
      readDeadLetter({
        'x-dlq-reason': { toString: 1 },
        'x-dlq-detail': 5,
        'x-attempt': -1,
        'x-replay-count': 'many',
        'x-device-id': Buffer.from('x'),
        'x-first-failed-at': 9e15,
        'x-received-at': '1',
      }),
    ).toEqual({ reason: 'delivery_limit', detail: expect.any(String), attempt: 0, replays: 0 }))
})

it('a dead letter has one id however often it arrives, and another after each replay', () => {
  const id = deadLetterIdHex('m', 'b', { reason: 'schema_invalid', replays: 0 })
  expect(id).toMatch(/^[0-9a-f]{24}$/)
  expect(deadLetterIdHex('m', 'b', { reason: 'schema_invalid', replays: 0 })).toBe(id)
  expect(deadLetterIdHex('m', 'b', { reason: 'schema_invalid', replays: 1 })).not.toBe(id)
  expect(deadLetterIdHex('m', 'b', { reason: 'storage_failed', replays: 0 })).not.toBe(id)
})
