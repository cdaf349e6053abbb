import { ObjectId } from 'mongodb'
import { describe, expect, it } from 'vitest'
import { type DeadLetterQuery, readDeadLetterQuery, writeCursor } from './dead-letter-query.ts'

const read = (query: string) => readDeadLetterQuery(new URLSearchParams(query))
const queryOf = (query: string): DeadLetterQuery => {
  const result = read(query)
  if ('fault' in result) throw new Error(result.fault.detail)
  return result.query
}

it('without parameters it asks for the open ones', () =>
  expect(read('')).toEqual({
    query: { filter: { reasons: [], deviceIds: [] }, state: 'open', limit: 20, after: undefined },
  }))

it('every filter is read; reasons and devices repeat', () => {
  const device = 'a'.repeat(24)
  const query = `reason=schema_invalid&reason=storage_failed&deviceId=${device}&from=2025-01-01T00:00:00Z&to=1735689601000&parked=true&state=replayed&limit=5`
  expect(read(query)).toEqual({
    query: {
      filter: {
        reasons: ['schema_invalid', 'storage_failed'],
        deviceIds: [device],
        fromMs: 1735689600000,
        toMs: 1735689601000,
        parked: true,
      },
      state: 'replayed',
      limit: 5,
      after: undefined,
    },
  })
})

describe('a cursor', () => {
  const place = { archivedAt: new Date(1735689600000), id: new ObjectId('ab'.repeat(12)) }
  it('names the place where the list goes on', () => {
    const query = queryOf('reason=schema_invalid&limit=5')
    expect(queryOf(`reason=schema_invalid&limit=50&cursor=${writeCursor(query, place)}`).after).toEqual(place)
  })
  it.each(['reason=storage_failed', 'reason=schema_invalid&state=discarded', ''])(
    'of another list is refused by the list "%s"',
    (other) => {
      const cursor = writeCursor(queryOf('reason=schema_invalid'), place)
      expect(read(`${other}&cursor=${cursor}`)).toMatchObject({ fault: { parameter: 'cursor' } })
    },
  )
})

describe('a query that cannot be answered says which parameter and what was expected', () => {
  it.each([
    ['reason=bad_luck', 'reason', 'one of auth_bad_signature'],
    ['deviceId=x', 'deviceId', '24 lower-case hex digits'],
    ['deviceid=x', 'deviceid', 'expected "deviceId"'],
    ['state=dead', 'state', 'one of open, replayed, discarded'],
    ['parked=1', 'parked', 'true or false'],
    ['from=yesterday', 'from', 'an ISO date'],
    ['limit=0', 'limit', 'from 1 to 100'],
    ['limit=101', 'limit', 'from 1 to 100'],
    ['state=open&state=open', 'state', 'it more than once'],
    ['cursor=nonsense', 'cursor', 'the nextCursor of an answer'],
    ['page=1', 'page', 'one of reason'],
    ['__proto__=1', '__proto__', 'one of reason'],
  ])('%s', (query, parameter, sentence) => {
    const result = read(query)
    expect(result).toMatchObject({ fault: { parameter } })
    expect('fault' in result ? result.fault.detail : '').toContain(sentence)
  })
})
