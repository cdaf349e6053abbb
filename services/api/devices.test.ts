import { describe, expect, it } from 'vitest'
import { impliedDevice, rotateKey } from '#contract/device-registry.ts'
import type { Registered, UseDocument } from '#runtime/device-registry.ts'
import { toDeviceJson, toDevicePage } from './device-representation.ts'
import { readDeviceChange, readDevicesQuery, readRotateRequest } from './device-requests.ts'

describe('a rotation', () => {
  it('without a body asks for the next derived key, with a day to change', () =>
    expect(readRotateRequest(undefined)).toEqual({ ok: true, value: { retireAfterMs: 86_400_000 } }))
  it('may say everything', () =>
    expect(
      readRotateRequest({
        keyId: 'i1',
        secret: 'ab'.repeat(32),
        notBefore: '2026-01-01T00:00:00Z',
        notAfter: 1_800_000_000_000,
        retireAfterSeconds: 0,
      }),
    ).toEqual({
      ok: true,
      value: {
        keyId: 'i1',
        secret: Buffer.alloc(32, 0xab),
        notBeforeMs: 1_767_225_600_000,
        notAfterMs: 1_800_000_000_000,
        retireAfterMs: 0,
      },
    }))
  it.each<[unknown, string, string]>([
    [[], '', 'expected an object'],
    [null, '', 'expected an object'],
    [{ keyid: 'k1' }, '/keyid', 'unknown field; expected keyId, secret, notBefore, notAfter, retireAfterSeconds'],
    [{ constructor: 1 }, '/constructor', 'unknown field'],
    [{ keyId: 'a|b' }, '/keyId', '1 to 32 letters'],
    [{ secret: 'AB'.repeat(32) }, '/secret', '64 lower-case hex digits'],
    [{ notBefore: '2026-01-01' }, '/notBefore', 'an ISO time with its zone'],
    [{ notBefore: '2026-13-01T00:00:00Z' }, '/notBefore', 'an ISO time'],
    [{ notAfter: 1.5 }, '/notAfter', 'an ISO time'],
    [{ notAfter: 1e300 }, '/notAfter', 'before the year 10000, got 1e+300'],
    [{ notAfter: 9e15 }, '/notAfter', 'before the year 10000, got 9000000000000000'],
    [{ notBefore: -9e15 }, '/notBefore', 'before the year 10000, got -9000000000000000'],
    [{ notBefore: '300000-01-01T00:00:00Z' }, '/notBefore', 'got "300000-01-01T00:00:00Z"'],
    [{ notBefore: '9999-12-31T23:59:59-12:00' }, '/notBefore', 'before the year 10000'],
    [{ notBefore: 2, notAfter: 2 }, '/notAfter', 'a time after notBefore'],
    [{ retireAfterSeconds: -1 }, '/retireAfterSeconds', 'whole seconds from 0'],
    [{ retireAfterSeconds: '60' }, '/retireAfterSeconds', 'whole seconds from 0'],
  ])('%j is refused', (body, pointer, detail) =>
    expect(readRotateRequest(body)).toEqual({ ok: false, fault: { pointer, detail: expect.stringContaining(detail) } }),
  )
  it('takes the last ms of the year 9999, and a device whose former key then retires can be shown', () => {
    const read = readRotateRequest({ notBefore: '9999-12-31T23:59:59.999Z', retireAfterSeconds: 31_536_000 })
    if (!read.ok || read.value.notBeforeMs === undefined) throw new Error('expected it to be taken')
    const { notBeforeMs, retireAfterMs } = read.value
    const key = { keyId: 'k1.1', source: 'derived', notBeforeMs } as const
    const rotated = rotateKey(impliedDevice('d', ['k1']), key, { nowMs: 1, retireAfterMs })
    if (!rotated.ok) throw new Error(rotated.detail)
    expect(toDeviceJson(rotated.device, [], 1).keys).toMatchObject([
      { notAfter: '+010000-12-30T23:59:59.999Z' },
      { notBefore: '9999-12-31T23:59:59.999Z' },
    ])
  })
  it('does not repeat a secret that is malformed', () =>
    expect(JSON.stringify(readRotateRequest({ secret: 'hunter2' }))).not.toContain('hunter2'))
  it('does not repeat a secret in the place of an id', () =>
    expect(JSON.stringify(readRotateRequest({ keyId: 'ab'.repeat(32) }))).not.toContain('abab'))
})

describe('a change of a device', () => {
  it('is whether it is disabled', () =>
    expect(readDeviceChange({ disabled: false })).toEqual({ ok: true, value: { disabled: false } }))
  it.each([
    [undefined, ''],
    [{}, '/disabled'],
    [{ disabled: 'yes' }, '/disabled'],
    [{ disabled: true, keys: [] }, '/keys'],
  ])('%j is refused', (body, pointer) =>
    expect(readDeviceChange(body)).toMatchObject({ ok: false, fault: { pointer } }),
  )
})

describe('the query of the list', () => {
  it('has defaults', () =>
    expect(readDevicesQuery(new URLSearchParams())).toEqual({ ok: true, value: { limit: 20, after: '' } }))
  it.each([
    ['limit=0', 'limit'],
    ['limit=101', 'limit'],
    ['limit=1&limit=2', 'limit'],
    ['cursor=x', 'cursor'],
    ['page=2', 'page'],
  ])('%s is refused', (query, parameter) =>
    expect(readDevicesQuery(new URLSearchParams(query))).toMatchObject({ ok: false, fault: { parameter } }),
  )
})

const registered = (deviceId: string): Registered => ({
  deviceId,
  disabled: false,
  keys: [],
  version: 1,
  updatedAtMs: 1,
})
const use = (_id: string, uses = 1): UseDocument => ({ _id, uses, lastUsedAt: new Date(uses) })

describe('a page of devices', () => {
  it.each<[string, number, string[], string[], number, string[], string | null]>([
    ['has those that are listed and those that sign', 5, ['b'], ['a|k1', 'c|k1'], 9, ['a', 'b', 'c'], null],
    ['names a device once', 5, ['a'], ['a|k1', 'a|k1.1'], 9, ['a'], null],
    ['ends at its limit', 2, ['a', 'b', 'c'], [], 9, ['a', 'b'], 'b'],
    ['ends where the uses were cut off', 5, ['a', 'z'], ['a|k1', 'b|k1', 'c|k1'], 3, ['a', 'b'], 'b'],
    ['ends where the devices were cut off', 1, ['b', 'd'], ['a|k1', 'e|k1'], 9, ['a'], 'a'],
    ['moves on beyond a device with very many uses', 5, [], ['a|k1', 'a|k2', 'a|k3'], 3, ['a'], 'a'],
    ['may be empty', 5, [], [], 9, [], null],
  ])('%s', (_, limit, listed, used, mostUses, ids, nextCursor) => {
    const page = toDevicePage(
      limit,
      listed.map(registered),
      used.map((id) => use(id)),
      mostUses,
    )
    expect(page.devices.map(({ deviceId }) => deviceId)).toEqual(ids)
    expect(page.nextCursor).toBe(nextCursor)
  })
})

it('a device is shown with the uses of its keys and never with a secret', () => {
  const device: Registered = {
    ...registered('d'),
    keys: [
      {
        keyId: 'i1',
        source: 'imported',
        sealed: { masterId: 'k1', bytes: Buffer.from('sealed') },
        notBeforeMs: 0,
        notAfterMs: 50,
        state: 'retiring',
      },
    ],
  }
  expect(toDeviceJson(device, [use('d|i1', 7), use('d|k1', 9)], 100)).toEqual({
    deviceId: 'd',
    registered: true,
    disabled: false,
    updatedAt: '1970-01-01T00:00:00.001Z',
    lastUsedAt: '1970-01-01T00:00:00.009Z',
    keys: [
      {
        keyId: 'i1',
        source: 'imported',
        state: 'retiring',
        live: false,
        notBefore: null,
        notAfter: '1970-01-01T00:00:00.050Z',
        uses: 7,
        lastUsedAt: '1970-01-01T00:00:00.007Z',
      },
    ],
  })
})
