import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { deriveDeviceKey } from '#contract/device-key.ts'
import type { DeviceKey } from '#contract/device-registry.ts'
import { sealSecret } from '#contract/device-secret.ts'
import {
  DEVICE,
  type Ingest,
  MASTER,
  NOW,
  openIngest,
  type RawAnswer,
  recording,
  rfc9421,
  send,
  xray1,
} from '../../tests/network/ingest.ts'

let ingest: Ingest
beforeAll(async () => {
  ingest = await openIngest()
})
afterAll(() => ingest.close())

const BODY = recording()
const seen = ({ status, body }: RawAnswer) => [status, JSON.parse(body).code ?? JSON.parse(body).status]
const post = (headers: Record<string, string | string[]>, body: string | Buffer = BODY, target?: string) =>
  send(ingest.port, body, headers, target).then(seen)
const seconds = (offset: number) => String(NOW / 1000 + offset)
const SECRET = Buffer.alloc(32, 9)

/** Makes the registry know the device with these keys. */
const register = (keys: Partial<DeviceKey>[], disabled = false): void =>
  void ingest.registry.set(DEVICE, {
    deviceId: DEVICE,
    disabled,
    keys: keys.map((key) => ({ keyId: 'k1', source: 'derived', notBeforeMs: 0, state: 'active', ...key })),
    version: 1,
    updatedAtMs: 0,
  })

describe('a request that is signed as it should be is accepted', () => {
  it.each([
    ['XRAY1', xray1(BODY)],
    ['RFC 9421', rfc9421(BODY)],
    ['at the very edge of the past', xray1(BODY, { timestamp: seconds(-300) })],
    ['at the very edge of the future', xray1(BODY, { timestamp: seconds(300) })],
    [
      'with two signatures, one of them right',
      {
        ...xray1(BODY, { nonce: 'A'.repeat(22) }),
        'x-signature': `v1=${'0'.repeat(64)},${xray1(BODY, { nonce: 'A'.repeat(22) })['x-signature']}`,
      },
    ],
    ['with the digest of the body', { ...xray1(BODY), 'content-digest': rfc9421(BODY)['content-digest'] ?? '' }],
    ['with a parameter on the content type', { ...xray1(BODY), 'content-type': 'Application/JSON; charset=utf-8' }],
  ])('%s', async (_, headers) => expect(await post(headers)).toEqual([202, 'accepted']))
})

describe.each([
  ['XRAY1', xray1],
  ['RFC 9421', rfc9421],
])('what %s signs cannot be another', (_, sign) => {
  it.each<[string, () => Record<string, string>, string | Buffer, [number, string]]>([
    ['one byte of the body', () => sign(BODY), `${BODY} `, [400, 'malformed']],
    ['the device', () => ({ ...sign(BODY), 'x-device-id': '0'.repeat(24) }), BODY, [401, 'unauthenticated']],
    ['the key', () => sign(BODY, { key: Buffer.alloc(32, 1) }), BODY, [401, 'unauthenticated']],
    ['the path', () => sign(BODY, { path: '/v1/ingest/batch' }), BODY, [401, 'unauthenticated']],
    ['the time, to 301 s ago', () => sign(BODY, { timestamp: seconds(-301) }), BODY, [401, 'clock_skew']],
    ['the time, to 301 s ahead', () => sign(BODY, { timestamp: seconds(301) }), BODY, [401, 'clock_skew']],
    ['a nonce of 15 bytes', () => sign(BODY, { nonce: 'A'.repeat(20) }), BODY, [400, 'malformed']],
    ['a nonce of 33 bytes', () => sign(BODY, { nonce: 'A'.repeat(44) }), BODY, [400, 'malformed']],
    ['the key id, to one that is not there', () => sign(BODY, { keyId: 'k9' }), BODY, [401, 'unauthenticated']],
  ])('%s', async (what, headers, body, expected) => {
    // Without a digest's header, another body is another signature.
    const code = what.endsWith('body') && sign === xray1 ? [401, 'unauthenticated'] : expected
    expect(await post(headers(), body)).toEqual(code)
  })
})

describe('a header of XRAY1 that is not of its form is malformed', () => {
  it.each<[string, string | string[] | undefined]>([
    ...['x-device-id', 'x-key-id', 'x-timestamp', 'x-nonce', 'x-signature'].flatMap(
      (name): [string, string | string[] | undefined][] => [
        [name, undefined],
        [name, 'a'.repeat(2048)],
        [name, [xray1(BODY)[name] ?? '', xray1(BODY)[name] ?? '']],
      ],
    ),
    ['x-device-id', DEVICE.toUpperCase()],
    ['x-timestamp', String(NOW)],
    ['x-timestamp', `${seconds(0)}.5`],
    ['x-timestamp', `-${seconds(0)}`],
    ['x-signature', xray1(BODY)['x-signature']?.toUpperCase().replace('V1', 'v1')],
    ['content-digest', 'sha-256=:AAAA:'],
  ])('%s: %j', async (name, value) => {
    const { [name]: _, ...others } = xray1(BODY)
    expect(await post(value === undefined ? others : { ...others, [name]: value })).toEqual([400, 'malformed'])
  })
})

describe('a path that is not exactly the one that is signed', () => {
  it.each([
    ['/v1/ingest?a=1', 400, 'malformed'],
    ['/v1/ingest?', 400, 'malformed'],
    ['/v1/inges%74', 404, 'not_found'],
    ['/v1/%2e/ingest', 404, 'not_found'],
    ['/v1/./ingest', 404, 'not_found'],
    ['/v1/ingest/', 404, 'not_found'],
    ['//v1/ingest', 404, 'not_found'],
    ['http://ingest/v1/ingest', 404, 'not_found'],
  ])('%s', async (target, status, code) => expect(await post(xray1(BODY), BODY, target)).toEqual([status, code]))
})

describe('bytes that something on the way has changed or that are no recording', () => {
  it.each<[string, string | Buffer]>([
    ['nothing', ''],
    ['a BOM before it', `\ufeff${BODY}`],
    ['NUL in it', BODY.replace('deviceId', 'device\0Id')],
    ['NUL after it', `${BODY}\0`],
    ['invalid UTF-8', Buffer.concat([Buffer.from(BODY.slice(0, -1)), Buffer.from([0xff]), Buffer.from('}')])],
    ['nesting', '['.repeat(261_120)],
    ['a number beyond all numbers', BODY.replace('1.2]', '1e999]')],
    ['a key twice', BODY.replace('"timestamp"', '"data":[],"timestamp"')],
    ['__proto__', BODY.replace('"timestamp"', '"__proto__":{},"timestamp"')],
  ])('%s, signed as it is, is no recording', async (_, body) =>
    expect(await post(xray1(body), body)).toEqual([422, 'schema_invalid']),
  )
  it('lines that a proxy ended with CRLF are not those that were signed', async () => {
    const pretty = JSON.stringify(JSON.parse(BODY), undefined, 1)
    expect(await post(xray1(pretty), pretty)).toEqual([202, 'accepted'])
    expect(await post(xray1(pretty), pretty.replaceAll('\n', '\r\n'))).toEqual([401, 'unauthenticated'])
  })
})

describe('a device that the registry knows', () => {
  const imported = (keyId: string) => ({
    keyId,
    source: 'imported' as const,
    sealed: { masterId: 'k1', bytes: sealSecret(MASTER, DEVICE, keyId, SECRET, Buffer.alloc(12)) },
  })
  it.each<[string, Partial<DeviceKey>[], object, [number, string]]>([
    ['has its listed key', [{}], {}, [202, 'accepted']],
    ['has its rotated key', [{ keyId: 'k1.3' }], { keyId: 'k1.3' }, [202, 'accepted']],
    ['has no key that is not listed', [{ keyId: 'k1.3' }], {}, [401, 'unauthenticated']],
    ['has no key at all when none is listed', [], {}, [401, 'unauthenticated']],
    ['has no revoked key', [{ state: 'revoked' }], {}, [401, 'unauthenticated']],
    ['has no key before its time', [{ notBeforeMs: NOW + 1 }], {}, [401, 'unauthenticated']],
    ['has no key after its time', [{ notAfterMs: NOW }], {}, [401, 'unauthenticated']],
    ['has a retiring key until then', [{ state: 'retiring', notAfterMs: NOW + 1 }], {}, [202, 'accepted']],
    ['has both keys while it changes them', [{}, { keyId: 'k1.1' }], { keyId: 'k1.1' }, [202, 'accepted']],
    ['has an imported key', [imported('i1')], { keyId: 'i1', key: SECRET }, [202, 'accepted']],
    [
      'has no imported key that was sealed for another',
      [{ ...imported('i2'), keyId: 'i1' }],
      { keyId: 'i1', key: SECRET },
      [401, 'unauthenticated'],
    ],
    [
      'has no imported key of a master that is not here',
      [{ ...imported('i1'), sealed: { ...imported('i1').sealed, masterId: 'k9' } }],
      { keyId: 'i1', key: SECRET },
      [401, 'unauthenticated'],
    ],
    [
      'has no derived key under the id of an imported one',
      [imported('k1')],
      { key: deriveDeviceKey(MASTER, DEVICE, 'k1') },
      [401, 'unauthenticated'],
    ],
  ])('%s', async (_, keys, signed, expected) => {
    register(keys)
    expect(await post(xray1(BODY, signed))).toEqual(expected)
    ingest.registry.clear()
  })

  it('is told that it is disabled only when it has shown who it is', async () => {
    register([{}], true)
    expect(await post(xray1(BODY))).toEqual([403, 'device_disabled'])
    expect(await post(xray1(BODY, { key: SECRET }))).toEqual([401, 'unauthenticated'])
    ingest.registry.clear()
  })

  it('is counted by the state of the key that it used, and only when that verified', async () => {
    register([{ state: 'retiring' }])
    ingest.used.length = 0
    await post(xray1(BODY))
    await post(xray1(BODY, { key: SECRET }))
    expect(ingest.used).toEqual([`${DEVICE}|k1 retiring`])
    ingest.registry.clear()
  })
})

it('a device that the registry does not know has no rotated key', async () =>
  expect(await post(xray1(BODY, { keyId: 'k1.1' }))).toEqual([401, 'unauthenticated']))

it('every cause of a refused signature reads the same', async () => {
  register([{ state: 'revoked' }])
  const causes = [
    xray1(BODY),
    xray1(BODY, { keyId: 'k9' }),
    xray1(BODY, { deviceId: '0'.repeat(24), key: SECRET }),
    rfc9421(BODY, { key: SECRET }),
  ]
  const answers = await Promise.all(causes.map((headers) => send(ingest.port, BODY, headers)))
  ingest.registry.clear()
  const withoutDate = answers.map(({ status, headers, body }) => [status, headers.replace(/^date:.*$/im, ''), body])
  expect(new Set(withoutDate.map((answer) => JSON.stringify(answer))).size).toBe(1)
})

it('a nonce is one in both profiles', async () => {
  const nonce = 'B'.repeat(22)
  const [first, again] = [
    await send(ingest.port, BODY, xray1(BODY, { nonce })),
    await send(ingest.port, BODY, rfc9421(BODY, { nonce })),
  ]
  expect(again.body).toBe(first.body)
  expect(again.headers).toContain('idempotency-replayed: true')
  const another = recording({ timestamp: 1735683480001 })
  expect(await post(rfc9421(another, { nonce }), another)).toEqual([409, 'nonce_reuse'])
})

it('nothing is accepted while the registry is not known', async () => {
  const blind = await openIngest({ devices: { find: () => undefined, problem: () => 'not read yet' } })
  expect(seen(await send(blind.port, BODY, xray1(BODY)))).toEqual([503, 'unavailable'])
  await blind.close()
})

it('no input was ever answered with 5xx', () => expect(ingest.results).not.toContain('internal'))
