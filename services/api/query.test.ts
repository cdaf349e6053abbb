import { describe, expect, it } from 'vitest'
import { readListQuery } from './query.ts'
import { readRange } from './range.ts'
import { toPage } from './representation.ts'

const read = (query: string) => readListQuery(new URLSearchParams(query))

it("the seed's own query is the default", () => {
  const expected = { query: { page: 1, limit: 20, sort: 'timestamp', order: 'desc', deviceIds: [] } }
  expect(read('page=1&limit=20&sort=timestamp&order=desc')).toEqual(expected)
  expect(read('')).toEqual(expected)
})
it('times are ISO or ms, devices repeat', () =>
  expect(
    read(`from=2025-01-01T00:00:00Z&to=1735689601000&deviceId=${'a'.repeat(24)}&deviceId=${'b'.repeat(24)}`),
  ).toMatchObject({
    query: { fromMs: 1735689600000, toMs: 1735689601000, deviceIds: ['a'.repeat(24), 'b'.repeat(24)] },
  }))

describe('a query that cannot be answered says which parameter and what was expected', () => {
  it.each([
    ['page=0', 'page', 'a whole number from 1'],
    ['page=1.5', 'page', 'a whole number from 1'],
    ['limit=101', 'limit', 'from 1 to 100'],
    ['limit=abc', 'limit', 'from 1 to 100'],
    ['page=101&limit=100', 'page', 'at most 10000, got 10100'],
    ['sort=speed', 'sort', 'one of timestamp'],
    ['order=up', 'order', 'asc or desc'],
    ['deviceId=x', 'deviceId', '24 lower-case hex digits'],
    ['deviceid=x', 'deviceid', 'expected "deviceId"'],
    ['pag=1', 'pag', 'expected "page"'],
    ['from=yesterday', 'from', 'an ISO date'],
    ['page=1&page=2', 'page', 'it more than once'],
    ['__proto__=1', '__proto__', 'one of'],
  ])('%s', (query, parameter, sentence) => {
    const result = read(query)
    expect(result).toMatchObject({ fault: { parameter } })
    expect('fault' in result ? result.fault.detail : '').toContain(sentence)
  })
})

describe('a range of 10 bytes', () => {
  it.each([
    [undefined, { kind: 'all' }],
    ['bytes=0-4', { kind: 'part', start: 0, end: 4 }],
    ['bytes=4-', { kind: 'part', start: 4, end: 9 }],
    ['bytes=-3', { kind: 'part', start: 7, end: 9 }],
    ['bytes=-99', { kind: 'part', start: 0, end: 9 }],
    ['bytes=0-99', { kind: 'part', start: 0, end: 9 }],
    ['bytes=10-', { kind: 'unsatisfiable' }],
    ['bytes=-0', { kind: 'unsatisfiable' }],
    ['bytes=5-2', { kind: 'all' }],
    ['bytes=0-1,3-4', { kind: 'all' }],
    ['lines=1-2', { kind: 'all' }],
  ])('%s', (header, expected) => expect(readRange(header, 10)).toEqual(expected))
})

it.each([
  [1, 45, { totalPages: 3, hasMore: true }, ['self', 'first', 'next', 'last']],
  [3, 45, { totalPages: 3, hasMore: false }, ['self', 'first', 'prev', 'last']],
  [1, 0, { totalPages: 0, hasMore: false }, ['self', 'first']],
])('page %d of %d signals', (page, total, pagination, links) => {
  const made = toPage('/api/signals', new URLSearchParams('order=asc'), { page, limit: 20, total })
  expect(made.pagination).toMatchObject(pagination)
  expect(Object.keys(made.links)).toEqual(links)
  expect(made.links.self).toBe(`/api/signals?order=asc&page=${page}&limit=20`)
})
