import { describe, expect, it } from 'vitest'
import { ApiError } from './errors.ts'
import { readRetryAfter, retryDelayMs } from './retry.ts'

const NOW_MS = Date.parse('2026-11-24T12:00:00Z')
const answered = (status: number, retryAfterMs?: number) => new ApiError(status, '', '', { retryAfterMs })
const lost = (code: string) => Object.assign(new Error(code), { code })

it.each([
  ['seconds', '3', 3_000],
  ['no time at all', '0', 0],
  ['a date', 'Tue, 24 Nov 2026 12:00:07 GMT', 7_000],
  ['a date that has passed', 'Tue, 24 Nov 2026 11:00:00 GMT', 0],
  ['neither', 'soon', undefined],
  ['a number that is no number of seconds', '-1', undefined],
  ['nothing', undefined, undefined],
])('Retry-After says %s', (_, header, ms) => expect(readRetryAfter(header, NOW_MS)).toBe(ms))

describe('a request is sent again', () => {
  it.each([
    ['a read after 429, when the server says', 'GET', answered(429, 2_000), 2_000],
    ['a write after 429, which was not carried out', 'POST', answered(429, 2_000), 2_000],
    ['a creation after 503, which was not carried out', 'POST', answered(503, 1_000), 1_000],
    ['an apply after 500, which may be carried out twice', 'PATCH', answered(500, 1_000), 1_000],
    ['a read whose connection was lost', 'GET', lost('UND_ERR_SOCKET'), 1_000],
  ] as const)('%s', (_, method, error, ms) => expect(retryDelayMs(method, error, 0, 0)).toBe(ms))
})

describe('a request is not sent again', () => {
  it.each([
    ['when the server does not say when', 'GET', answered(429), 0, 0],
    ['when it was refused', 'GET', answered(404, 1_000), 0, 0],
    ['a creation after 504, which may have been carried out', 'POST', answered(504, 1_000), 0, 0],
    ['a write whose connection was lost, which may have been carried out', 'PATCH', lost('ECONNRESET'), 0, 0],
    ['when nobody listens, which takes longer than a request should', 'GET', lost('ECONNREFUSED'), 0, 0],
    ['an eleventh time', 'GET', answered(429, 1), 10, 0],
    ['when its waits would come to more than a minute', 'GET', answered(429, 30_000), 2, 31_000],
  ] as const)('%s', (_, method, error, retries, waitedMs) =>
    expect(retryDelayMs(method, error, retries, waitedMs)).toBeUndefined(),
  )
})
