import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import express from 'express'
import { pino } from 'pino'
import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { deriveDeviceKey } from '#contract/device-key.ts'
import { impliedDevice } from '#contract/device-registry.ts'
import { openDeviceRegistry } from '#runtime/device-registry.ts'
import { watchDevices } from '#runtime/device-watch.ts'
import { countKeyUses } from '#runtime/key-uses.ts'
import { closeServer, listen } from '#runtime/probe.ts'
import { openStore } from '#runtime/signal-store.ts'
import { devicesRoutes } from '../../services/api/devices-routes.ts'
import { answerErrors, notFound } from '../../services/api/refusal.ts'
import { eventually, storeUri } from '../e2e/cluster.ts'
import { DEVICE, MASTER, openIngest, recording, send, xray1 } from '../network/ingest.ts'
import { openProxy } from '../network/proxy.ts'

const DATABASE = `test-device-registry-${process.pid}` // another checkout may use the same cluster now
const uri = await storeUri()
const store = openStore(uri, DATABASE, 'test')
const registry = openDeviceRegistry(store.db)
const log = pino({ level: 'silent' })
const closing: (() => unknown)[] = []

beforeEach(() => store.db.dropDatabase())
afterAll(async () => {
  for (const close of closing.reverse()) await close()
  await store.db.dropDatabase()
  await store.client.close()
})

const device = (id: string) => impliedDevice(id, ['k1'])
const id = (digit: string) => digit.repeat(24)

describe('the registry in the store', () => {
  it('gives back what was written, sealed secrets included', async () => {
    const written = {
      ...device(DEVICE),
      disabled: true,
      keys: [
        {
          keyId: 'i1',
          source: 'imported' as const,
          sealed: { masterId: 'k1', bytes: randomBytes(60) },
          notBeforeMs: 5,
          notAfterMs: 9,
          state: 'retiring' as const,
        },
        { keyId: 'k1', source: 'derived' as const, notBeforeMs: 0, state: 'revoked' as const },
      ],
    }
    await registry.save(written, 0, 1_000)
    expect(await registry.find(DEVICE)).toEqual({ ...written, version: 1, updatedAtMs: 1_000 })
  })

  it('lets one of several writers win, whether the device was there or not', async () => {
    const attempts = (version: number) => Promise.all([1, 2, 3, 4].map(() => registry.save(device(DEVICE), version, 1)))
    for (const version of [0, 1, 2]) {
      const saved = (await attempts(version)).filter((each) => each !== undefined)
      expect(saved.map((each) => each.version)).toEqual([version + 1])
    }
  })

  it('finds what changed since a time, and pages in the order of ids', async () => {
    await registry.ensureIndexes()
    for (const [digit, at] of [
      ['c', 300],
      ['a', 100],
      ['b', 200],
    ] as const)
      await registry.save(device(id(digit)), 0, at)
    expect((await registry.read(200)).map(({ deviceId }) => deviceId).sort()).toEqual([id('b'), id('c')])
    expect((await registry.page(id('a'), 1)).map(({ deviceId }) => deviceId)).toEqual([id('b')])
  })

  it('is not put out by a document that somebody spoiled', async () => {
    await registry.save(device(id('a')), 0, 1)
    await store.db
      .collection<{ _id: string }>('devices')
      .insertOne({ _id: id('b'), keys: [{ keyId: 7 }, null] } as never)
    expect(await registry.read()).toMatchObject([
      { deviceId: id('a') },
      { deviceId: id('b'), disabled: true, keys: [] },
    ])
  })

  it('adds up the uses of keys and keeps the last', async () => {
    const uses = [countKeyUses(registry, log), countKeyUses(registry, log)]
    uses[0]?.count('d', 'k1', 2_000)
    uses[1]?.count('d', 'k1', 1_000)
    uses[1]?.count('e', 'k1', 1_000)
    for (const each of uses) await each.close()
    expect(await registry.uses('d|', 10, 'd}')).toEqual([{ _id: 'd|k1', uses: 2, lastUsedAt: new Date(2_000) }])
    expect((await registry.uses('d}', 10)).map(({ _id }) => _id)).toEqual(['e|k1'])
  })
})

/** The API's routes and the producer's server, both on the real registry. */
const openBoth = async () => {
  const app = express().use(
    '/api/devices',
    devicesRoutes({
      registry,
      masters: () => new Map([['k1', MASTER]]),
      now: Date.now,
      newIv: () => randomBytes(12),
    }),
  )
  const server = await listen(createServer(app.use(notFound).use(answerErrors(log))), 0)
  closing.push(() => closeServer(server))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the API has no port')
  const call = async (method: string, path: string, body?: unknown) => {
    const answer = await fetch(`http://127.0.0.1:${address.port}/api/devices${path}`, {
      method,
      ...(body !== undefined && {
        headers: { 'content-type': 'application/json' },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
    })
    const shown = (await answer.json()) as {
      keyId?: string
      keys: { keyId: string; state: string; live: boolean; uses: number }[]
    }
    return { status: answer.status, allow: answer.headers.get('allow'), body: shown }
  }
  const watch = watchDevices(registry, log)
  const uses = countKeyUses(registry, log)
  closing.push(watch.close, uses.close)
  await eventually('the registry to be read', 10, async () => (watch.problem() === undefined ? true : undefined))
  const ingest = await openIngest({
    devices: watch,
    now: Date.now,
    used: (deviceId, keyId, _state, nowMs) => uses.count(deviceId, keyId, nowMs),
  })
  closing.push(ingest.close)
  const post = async (keyId: string, key: Buffer = deriveDeviceKey(MASTER, DEVICE, keyId)) => {
    const signed = { keyId, key, timestamp: String(Math.floor(Date.now() / 1000)) }
    return (await send(ingest.port, recording(), xray1(recording(), signed))).status
  }
  /** Waits until a key is answered so, and returns after how many ms it was. */
  const becomes = async (status: number, keyId: string, key?: Buffer): Promise<number> => {
    const startedAt = performance.now()
    await eventually(`${keyId} to be answered with ${status}`, 20, async () =>
      (await post(keyId, key)) === status ? true : undefined,
    )
    return performance.now() - startedAt
  }
  return { call, post, becomes, uses, address: `http://127.0.0.1:${address.port}` }
}

/** Runs xrayctl with no terminal. */
const xrayctl = (api: string, ...args: string[]) =>
  new Promise<{ exit: number | null; out: string; told: string }>((resolve) => {
    const child = execFile(
      process.execPath,
      ['services/cli/main.ts', 'devices', ...args, '--api', api, '--token', 'any'],
      (_error, out, told) => resolve({ exit: child.exitCode, out, told }),
    )
    child.stdin?.end(`${'ab'.repeat(32)}\n`)
  })

it('a device goes from key to key by the API, and a producer follows within ten seconds', async () => {
  const { call, post, becomes, uses } = await openBoth()
  expect(await post('k1')).toBe(202)

  const rotated = await call('POST', `/${DEVICE}/keys`, {})
  expect(rotated).toMatchObject({ status: 201, body: { keyId: 'k1.1' } })
  expect(await becomes(202, 'k1.1')).toBeLessThan(10_000)
  expect(await post('k1')).toBe(202)
  expect(await call('POST', `/${DEVICE}/keys`, {})).toMatchObject({ status: 409, body: { code: 'conflict' } })

  expect((await call('POST', `/${DEVICE}/keys/k1/revoke`)).status).toBe(200)
  expect(await becomes(401, 'k1')).toBeLessThan(10_000)
  expect(await post('k1.1')).toBe(202)

  const secret = randomBytes(32)
  const imported = await call('POST', `/${DEVICE}/keys`, { secret: secret.toString('hex'), retireAfterSeconds: 0 })
  expect(imported).toMatchObject({ status: 201, body: { keyId: 'i1' } })
  expect(JSON.stringify(imported.body)).not.toContain(secret.toString('hex'))
  await becomes(202, 'i1', secret)
  expect(await post('k1.1')).toBe(401)

  expect((await call('PUT', `/${DEVICE}`, { disabled: true })).status).toBe(200)
  await becomes(403, 'i1', secret)
  expect((await call('PUT', `/${DEVICE}`, { disabled: false })).status).toBe(200)
  await becomes(202, 'i1', secret)

  await uses.close()
  const { body } = await call('GET', `/${DEVICE}`)
  expect(body.keys.map((key) => [key.keyId, key.state, key.live])).toEqual([
    ['k1', 'revoked', false],
    ['k1.1', 'retiring', false],
    ['i1', 'active', true],
  ])
  for (const key of body.keys) expect(key.uses).toBeGreaterThan(0)
  const list = await call('GET', '?limit=1')
  expect(list.body).toMatchObject({ data: [{ deviceId: DEVICE }], pagination: { hasMore: false } })
  const stored = JSON.stringify(await store.db.collection('devices').find().toArray())
  expect(stored).not.toContain(secret.toString('base64'))

  const answers: [string, string, unknown, number][] = [
    ['POST', `/${DEVICE}/keys`, { key: 1 }, 400],
    ['POST', `/${DEVICE}/keys`, '{', 400],
    ['POST', `/${DEVICE}/keys`, `{"keyId":"${'k'.repeat(70_000)}"}`, 413],
    ['POST', `/${id('0')}/keys`, undefined, 201],
    ['POST', `/${DEVICE}/keys`, { keyId: 'k2' }, 400],
    ['POST', `/${DEVICE}/keys`, { keyId: 'k1.1' }, 409],
    ['POST', `/${DEVICE}/keys/k7/revoke`, undefined, 404],
    ['PUT', `/${DEVICE}`, undefined, 400],
    ['GET', '/x', undefined, 400],
    ['GET', `/${id('1')}`, undefined, 404],
    ['DELETE', `/${DEVICE}`, undefined, 405],
    ['GET', `/${DEVICE}/keys`, undefined, 405],
    ['POST', '', {}, 405],
    ['GET', `/${DEVICE}/other`, undefined, 404],
  ]
  for (const [method, path, sent, status] of answers)
    expect([method, path, (await call(method, path, sent)).status]).toEqual([method, path, status])
  expect((await call('DELETE', `/${DEVICE}`)).allow).toBe('GET, HEAD, PUT')
})

it('xrayctl looks after devices, and does no harm unless somebody agrees', async () => {
  const { address } = await openBoth()
  expect(await xrayctl(address, 'rotate', DEVICE, '--retire-after', '1h')).toMatchObject({
    exit: 0,
    out: expect.stringContaining('"keyId": "k1.1"'),
    told: expect.stringContaining(`devices keygen ${DEVICE} --key-id k1.1`),
  })
  expect(await xrayctl(address, 'revoke', DEVICE, 'k1')).toMatchObject({
    exit: 8,
    told: expect.stringContaining(`Revoke the key k1 of the device ${DEVICE}, last used never, for good?`),
  })
  expect((await registry.find(DEVICE))?.keys[0]?.state).toBe('retiring')
  expect(await xrayctl(address, 'revoke', DEVICE, 'k1', '-y')).toMatchObject({ exit: 0 })
  expect(await xrayctl(address, 'rotate', DEVICE, '--secret-stdin')).toMatchObject({
    exit: 0,
    out: expect.not.stringContaining('ab'.repeat(32)),
  })
  expect(await xrayctl(address, 'revoke', DEVICE, 'k9', '-y')).toMatchObject({ exit: 4 })
  expect(await xrayctl(address, 'disable', DEVICE)).toMatchObject({ exit: 8 })
  expect(await xrayctl(address, 'disable', DEVICE, '-y')).toMatchObject({ exit: 0 })
  expect(await xrayctl(address, 'list')).toMatchObject({
    exit: 0,
    out: expect.stringMatching(new RegExp(`${DEVICE} +disabled +never +k1.1 retiring until .*, i1 active`)),
  })
  expect(await xrayctl(address, 'enable', DEVICE)).toMatchObject({ exit: 0 })
  expect(await xrayctl(address, 'rotate', 'x')).toMatchObject({ exit: 2 })
  expect(await xrayctl(address, 'rotate', DEVICE, '--retire-after', 'soon')).toMatchObject({ exit: 2 })
})

it('a store that is away is waited for at first, and later leaves what was known', async () => {
  await registry.save({ ...device(DEVICE), disabled: true }, 0, Date.now())
  const { hostname, port } = new URL(uri)
  const proxy = await openProxy({ host: hostname, port: Number(port) })
  proxy.refuse()
  const behind = new URL(uri)
  behind.host = `127.0.0.1:${proxy.port}`
  const far = openStore(`${behind.href}?directConnection=true`, DATABASE, 'test')
  const failures: unknown[] = []
  far.client.on('topologyClosed', (event) => failures.push(event))
  const watch = watchDevices(openDeviceRegistry(far.db), log, 200)
  closing.push(() => far.client.close(), proxy.close, watch.close)

  // Until the driver has given its first connection up, which it does for good.
  await eventually('the driver to have given up', 30, async () => (failures.length > 0 ? true : undefined))
  expect(watch.problem()).toBe('the device registry has not been read yet')
  proxy.admit()
  await eventually('the registry to be read', 20, async () => (watch.problem() === undefined ? true : undefined))
  expect(watch.find(DEVICE)?.disabled).toBe(true)

  proxy.refuse()
  proxy.reset()
  await eventually('the age to grow', 10, async () => (watch.ageSeconds() > 1 ? true : undefined))
  expect(watch.find(DEVICE)?.disabled).toBe(true)
  expect(watch.problem()).toBeUndefined()

  await registry.save(device(DEVICE), 1, Date.now())
  proxy.admit()
  await eventually('the change to be seen', 20, async () => (watch.find(DEVICE)?.disabled === false ? true : undefined))
})

it('a document that is deleted is known until everything is read again, ten minutes later', async () => {
  await registry.save(device(DEVICE), 0, Date.now())
  const watch = watchDevices(registry, log, 100)
  closing.push(watch.close)
  await eventually('the device to be known', 10, async () => watch.find(DEVICE))
  await store.db.collection('devices').deleteMany({})
  await registry.save(device(id('a')), 0, Date.now())
  await eventually('the other device to be known', 10, async () => watch.find(id('a')))
  expect(watch.find(DEVICE)).toBeDefined()
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 600_000 })
  try {
    await expect.poll(() => watch.find(DEVICE), { timeout: 10_000 }).toBeUndefined()
  } finally {
    vi.useRealTimers()
  }
  expect(watch.find(id('a'))).toBeDefined()
})
