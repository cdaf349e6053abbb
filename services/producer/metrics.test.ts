import { expect, it } from 'vitest'
import { toProblem } from '#contract/problem.ts'
import type { Answer } from './answers.ts'
import { rejectionOf } from './metrics.ts'

const refused = (code: Parameters<typeof toProblem>[0]): Answer => ({ status: 400, body: toProblem(code), headers: {} })
const accepted = (headers: Record<string, string>): Answer => ({
  status: 202,
  body: { messageId: 'a'.repeat(32), status: 'accepted' },
  headers,
})

it.each([
  ['another body under a used nonce', refused('nonce_reuse'), 'reused'],
  ['the same request again', accepted({ 'idempotency-replayed': 'true' }), 'replayed'],
  ['a request signed long ago', refused('clock_skew'), 'skewed'],
  ['a wrong signature', refused('unauthenticated'), undefined],
  ['a new request', accepted({}), undefined],
])('%s is counted as %s', (_, answer, reason) => expect(rejectionOf(answer)).toBe(reason))
