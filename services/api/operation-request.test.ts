import { describe, expect, it } from 'vitest'
import { readOperationRequest } from './operation-request.ts'

it('an empty body means all that is open, at a gentle pace', () =>
  expect(readOperationRequest('replay', {})).toEqual({
    request: { filter: { reasons: [], deviceIds: [] }, limit: 100_000, ratePerSecond: 50, dryRun: false },
  }))

it('a filter is that of the list', () =>
  expect(
    readOperationRequest('discard', {
      filter: { reason: ['schema_invalid'], from: 1735689600000, parked: false },
      limit: 5,
      ratePerSecond: 0.5,
      reason: ' a firmware that is gone ',
    }),
  ).toEqual({
    request: {
      filter: { reasons: ['schema_invalid'], deviceIds: [], fromMs: 1735689600000, parked: false },
      limit: 5,
      ratePerSecond: 0.5,
      dryRun: false,
      note: 'a firmware that is gone',
    },
  }))

describe('a body that cannot be taken says where and what was expected', () => {
  it.each([
    ['replay', undefined, '', 'an object, got nothing'],
    ['replay', [], '', 'an object'],
    ['replay', { dryrun: true }, '/dryrun', '"dryRun"'],
    ['replay', { reason: 'why' }, '/reason', 'one of filter, limit'],
    ['replay', { filter: 'all' }, '/filter', 'an object'],
    ['replay', { filter: { Reason: 'schema_invalid' } }, '/filter/Reason', '"reason"'],
    ['replay', { filter: { reason: [{}] } }, '/filter/reason', 'a text'],
    ['replay', { filter: { parked: 'yes' } }, '/filter/parked', 'true or false'],
    ['replay', { filter: { state: 'discarded' } }, '/filter/state', 'one of reason'],
    ['replay', { limit: 0 }, '/limit', 'from 1 to 100000'],
    ['replay', { limit: 1.5 }, '/limit', 'a whole number'],
    ['replay', { ratePerSecond: 0 }, '/ratePerSecond', 'from 0.001 to 1000'],
    ['replay', { ratePerSecond: 1e-7 }, '/ratePerSecond', 'from 0.001 to 1000, got 1e-7'],
    ['replay', { ratePerSecond: Number.NaN }, '/ratePerSecond', 'from 0.001 to 1000'],
    ['replay', { ratePerSecond: '50' }, '/ratePerSecond', 'from 0.001 to 1000'],
    ['replay', { dryRun: 1 }, '/dryRun', 'true or false'],
    ['discard', {}, '/reason', 'a text of 1 to 500 characters'],
    ['discard', { reason: ' ' }, '/reason', 'a text of 1 to 500 characters'],
  ] as const)('%s %j', (kind, body, pointer, sentence) => {
    const read = readOperationRequest(kind, body)
    expect(read).toMatchObject({ fault: { pointer } })
    expect('fault' in read ? read.fault.detail : '').toContain(sentence)
  })

  it('but a discard that only counts needs no reason', () =>
    expect(readOperationRequest('discard', { dryRun: true })).toMatchObject({ request: { dryRun: true } }))
})
