import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { ObjectId } from 'mongodb'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { DEAD_LETTER_REASONS, type DeadLetterReason, deadLetterHeaders } from '#contract/dead-letter.ts'
import { sha256Hex } from '#contract/digest.ts'
import { readEnvelope } from '#contract/envelope-text.ts'
import type { Message } from '#contract/message.ts'
import { deadLettersOf } from '#runtime/dead-letter-store.ts'
import { operationsOf } from '#runtime/operation-store.ts'
import { eventually } from '../e2e/cluster.ts'
import { DEVICE, recording } from '../e2e/device.ts'
import { openProxy } from '../network/proxy.ts'
import type { Process } from '../stand/service-process.ts'
import { signedMessage } from '../stand/signed-message.ts'
import { openSite, type Site, TOKEN } from './pipeline-site.ts'

let site: Site
let signals: Process
let api: Process

beforeAll(async () => {
  site = await openSite('dead-letters', { maxRetries: 1, delaysMs: [100], jitterMs: 0 })
  signals = await site.start('signals')
  api = await site.start('api')
})
beforeEach(async () => {
  await Promise.all([letters().deleteMany({}), operations().deleteMany({})])
})
afterAll(() => site.close())

const letters = () => deadLettersOf(site.store.db)
const operations = () => operationsOf(site.store.db)

const message = (body: string, change?: Partial<Message>) => signedMessage(site.messageKey, body, change)
type Made = ReturnType<typeof message>

/** Publishes a message as signals does when it gives it up. */
const bury = ({ properties, body }: Made, reason: DeadLetterReason): Promise<void> => {
  const headers = deadLetterHeaders(properties.headers, { reason, detail: 'why', failedAtMs: Date.now() })
  return site.publish(site.names.deadLetterExchange, `dead.${reason}`, Buffer.from(body), { ...properties, headers })
}
const send = ({ properties, body }: Made): Promise<void> =>
  site.publish(site.names.exchange, site.names.routingKey, Buffer.from(body), properties)

const ask = async (path: string, init: RequestInit = {}, of = api) => {
  const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' }
  const answer = await fetch(`${of.url}${path}`, { ...init, headers })
  return { status: answer.status, headers: answer.headers, body: (await answer.json()) as Record<string, unknown> }
}
const post = (path: string, body: unknown = {}) => ask(path, { method: 'POST', body: JSON.stringify(body) })

const archived = (messageId: string, more: object = {}) =>
  eventually(
    `${messageId} to be archived`,
    150,
    async () => (await letters().findOne({ messageId, ...more })) ?? undefined,
  )
const stored = (messageId: string) => site.store.signals.countDocuments({ messageId })
const untilStored = (messageId: string) =>
  eventually(`${messageId} to be stored`, 150, async () => ((await stored(messageId)) === 1 ? true : undefined))
const duplicates = async () =>
  Number(/xray_signals_messages_total\{outcome="duplicate"[^}]*\} ([0-9]+)/.exec(await signals.metrics())?.[1])
const queuesAreEmpty = () =>
  eventually('the queues to be empty', 150, async () => {
    for (const queue of [site.names.queue, site.names.deadLetterQueue, site.names.parkedQueue])
      if ((await site.ready(queue)) > 0) throw new Error(`${queue} has ${await site.ready(queue)}`)
    return true
  })

describe.each(DEAD_LETTER_REASONS)('a message dead of %s, whose cause is mended', (reason) => {
  it('is archived, and replayed twice it is one signal', async () => {
    const made = message(recording({ timestamp: 1735683480000 + Math.floor(Math.random() * 1e9) }))
    const { messageId } = made.properties
    await bury(made, reason)
    const letter = await archived(messageId)
    expect(letter).toMatchObject({ reason, detail: 'why', deviceId: DEVICE, state: 'open', parked: false, replays: 0 })
    const path = `/api/dlq/${letter._id.toHexString()}/replay`

    expect(await post(path)).toMatchObject({ status: 200, body: { state: 'replayed', replayable: false } })
    await untilStored(messageId)
    expect(await post(path)).toMatchObject({ status: 409, body: { code: 'not_open' } })

    const dropped = await duplicates()
    // As after a crash between the confirm and the change of state.
    await letters().updateOne({ _id: letter._id }, { $set: { state: 'open' } })
    expect((await post(path)).status).toBe(200)
    await queuesAreEmpty()
    await eventually('the duplicate to be dropped', 90, async () => ((await duplicates()) > dropped ? true : undefined))
    expect(await stored(messageId)).toBe(1)
    expect(await letters().countDocuments({ messageId })).toBe(1)
  })
})

describe('a message that signals gives up', () => {
  const forged = () => {
    const made = message(recording())
    return {
      ...made,
      properties: { ...made.properties, headers: { ...made.properties.headers, 'x-sig': 'c'.repeat(64) } },
    }
  }
  const otherVersion = () => {
    const made = message(recording())
    return { ...made, properties: { ...made.properties, headers: { ...made.properties.headers, 'x-v': 2 } } }
  }
  const conflicting = async () => {
    const first = message(recording({ timestamp: 1735683490000 }))
    await send(first)
    await untilStored(first.properties.messageId)
    await eventually('Redis to know it', 90, async () => ((await site.redis.dbsize()) > 0 ? true : undefined))
    await site.redis.flushdb() // the fast path would take it for the same one; the store knows better
    return message(recording({ timestamp: 1735683490000, data: [[1, [1, 1, 1]]] }), {
      messageId: first.properties.messageId,
    })
  }
  it.each<[DeadLetterReason, () => Made | Promise<Made>]>([
    ['auth_bad_signature', forged],
    ['auth_unknown_key', () => message(recording(), { kid: 'p9' })],
    ['unsupported_version', otherVersion],
    ['schema_invalid', () => message(recording({ data: [] }))],
    ['body_too_large', () => message(recording().padEnd(261_121))],
    ['idempotency_conflict', conflicting],
  ])('for %s is archived, and parked each time that a replay fails again', async (reason, make) => {
    const made = await make()
    const { messageId } = made.properties
    await send(made)
    const first = await archived(messageId)
    expect(first).toMatchObject({ reason, parked: false, replays: 0 })

    expect((await post(`/api/dlq/${first._id.toHexString()}/replay`)).status).toBe(200)
    const second = await archived(messageId, { state: 'open' })
    expect(second).toMatchObject({ reason, parked: true, replays: 1, deviceId: DEVICE })
    expect(readEnvelope(second.envelope).headers).toMatchObject({ 'x-replay-of': first._id.toHexString() })

    expect((await post(`/api/dlq/${second._id.toHexString()}/replay`)).status).toBe(200)
    expect(await archived(messageId, { state: 'open' })).toMatchObject({ reason, parked: true, replays: 2 })
    expect(await letters().countDocuments({ messageId, state: 'replayed' })).toBe(2)
    expect(Buffer.from(second.body.buffer).toString()).toBe(made.body)
  })
})

it('the same dead letter published twice is one document', async () => {
  const made = message(recording())
  await bury(made, 'storage_failed')
  await bury(made, 'storage_failed')
  await archived(made.properties.messageId)
  await queuesAreEmpty()
  expect(await letters().countDocuments()).toBe(1)
})

describe('a forged dead letter', () => {
  let nested: Record<string, unknown> = { end: 1 }
  for (let level = 0; level < 2_000; level++) nested = { a: nested }
  it.each<[string, object, Buffer, object]>([
    ['without any property', {}, Buffer.from('x'), { reason: 'delivery_limit', messageId: '' }],
    ['without a body', { messageId: 'empty' }, Buffer.alloc(0), { messageId: 'empty', bodyBytes: 0 }],
    [
      'with headers that a store may refuse',
      {
        messageId: 'odd\u0000one',
        headers: {
          $set: { 'a.b': Buffer.from([0, 255]) },
          '': null,
          'nul\u0000': [1.5, { '!': 'timestamp', value: 1 }, { '!': 'decimal', value: { places: 1, digits: 2 } }],
          huge: { '!': 'long', value: 2 ** 60 },
          'x-dlq-reason': 'bad_luck',
          'x-received-at': { '!': 'long', value: 2 ** 62 },
          'x-attempt': 'three',
        },
      },
      Buffer.from([0xff, 0xfe]),
      { reason: 'delivery_limit', attempt: 0, truncated: false },
    ],
    ['with endless tables', { messageId: 'deep', headers: { nested } }, Buffer.from('x'), { truncated: true }],
    ['as large as the broker takes', { messageId: 'large' }, Buffer.alloc(2 ** 20, 1), { truncated: false }],
  ])('%s is archived', async (_, properties, body, expected) => {
    await site.publish('', site.names.deadLetterQueue, body, properties)
    const letter = await eventually('it to be archived', 150, async () => (await letters().findOne({})) ?? undefined)
    expect(letter).toMatchObject({ ...expected, bodySha256: sha256Hex(body), bodyBytes: body.length })
    await queuesAreEmpty()
    const path = `/api/dlq/${letter._id.toHexString()}`
    expect((await ask(path)).status).toBe(200)
    if (letter.truncated)
      expect(await post(`${path}/replay`)).toMatchObject({ status: 409, body: { code: 'not_whole' } })
    expect(await post(`${path}/discard`, { reason: 'forged' })).toMatchObject({
      status: 200,
      body: { state: 'discarded' },
    })
  })
})

/** Publishes what amqplib cannot read: nested more deeply than its reader can follow. Writing it takes a large stack. */
const publishUnreadable = async (queue: string): Promise<void> => {
  const source = `const { connect } = require('amqplib'); const { workerData: at } = require('node:worker_threads')
    ;(async () => {
      const model = await connect(at.uri)
      const channel = await model.createConfirmChannel()
      let nested = {}
      for (let level = 0; level < 8000; level++) nested = { a: nested }
      channel.publish('', at.queue, Buffer.from('unreadable'), { headers: { nested }, persistent: true })
      await channel.waitForConfirms()
      await model.close()
    })()`
  const uri = new URL(`/${site.vhost}`, site.servers.rabbitmq.uri).href
  const workerData = { uri, queue }
  const writer = new Worker(source, { eval: true, workerData, resourceLimits: { stackSizeMb: 200 } })
  await once(writer, 'exit')
}

describe('a message that no client can read becomes an alarm, whole, and takes none of those behind it along', () => {
  it.each<[string, () => string, (made: Made) => Promise<unknown>]>([
    [
      'recordings are stored',
      () => site.names.queue,
      async (made) => {
        await send(made)
        await untilStored(made.properties.messageId)
      },
    ],
    [
      'dead letters are archived',
      () => site.names.deadLetterQueue,
      async (made) => {
        await bury(made, 'storage_failed')
        await archived(made.properties.messageId)
      },
    ],
  ])('%s', async (_, queue, follow) => {
    const restore = await site.limitDeliveries(2)
    await publishUnreadable(queue())
    await Promise.all(
      [1, 2, 3].map((index) =>
        follow(message(recording({ timestamp: 1735690000000 + Math.floor(Math.random() * 1e6) * 10 + index }))),
      ),
    )
    await eventually('the unreadable one to stand among the unrouted', 240, async () =>
      (await site.ready(site.names.unrouted)) === 1 ? true : undefined,
    )
    await queuesAreEmpty()
    expect(await letters().countDocuments({ reason: 'delivery_limit' })).toBe(0)
    await site.channel.purgeQueue(site.names.unrouted)
    await restore()
  })
})

it('a dead letter that was written and not acknowledged when its archiver was killed is one document', async () => {
  await signals.stop()
  const proxy = await openProxy(site.servers.rabbitmq.address)
  const victim = await site.start('signals', {
    AMQP_URI: site.servers.rabbitmq.uriVia({ host: '127.0.0.1', port: proxy.port }),
  })
  await eventually('the archiver to consume', 90, async () =>
    (await site.channel.checkQueue(site.names.deadLetterQueue)).consumerCount > 0 ? true : undefined,
  )
  proxy.requests({ kind: 'swallow' })
  const made = message(recording())
  await bury(made, 'storage_failed')
  const letter = await archived(made.properties.messageId)
  await victim.kill()
  await proxy.close()
  await eventually('the broker to offer it again', 150, async () =>
    (await site.ready(site.names.deadLetterQueue)) === 1 ? true : undefined,
  )
  signals = await site.start('signals')
  await queuesAreEmpty()
  expect(await letters().find().toArray()).toEqual([letter])
})

it('dead letters wait in their queue while the store is away', async () => {
  await signals.stop()
  const proxy = await openProxy(site.servers.store.address)
  const cut = await site.start('signals', {
    MONGODB_URI: site.servers.store.uriVia({ host: '127.0.0.1', port: proxy.port }),
  })
  proxy.refuse()
  proxy.reset()
  const made = Array.from({ length: 20 }, () => message(recording()))
  for (const each of made) await bury(each, 'storage_failed')
  await eventually('all to be back in the queue, without a consumer', 150, async () => {
    const { messageCount, consumerCount } = await site.channel.checkQueue(site.names.deadLetterQueue)
    return messageCount === made.length && consumerCount === 0 ? true : undefined
  })
  proxy.admit()
  await eventually('all to be archived', 150, async () =>
    (await letters().countDocuments()) === made.length ? true : undefined,
  )
  await queuesAreEmpty()
  await cut.stop()
  await proxy.close()
  signals = await site.start('signals')
})

/** Many open dead letters, put into the store as the archiver would. */
const fill = async (count: number): Promise<string[]> => {
  const ids: string[] = []
  for (let index = 0; index < count; index++) {
    const made = message(recording({ timestamp: 1735683480000 + index }))
    ids.push(made.properties.messageId)
    await bury(made, 'storage_failed')
  }
  await eventually(`${count} to be archived`, 150, async () =>
    (await letters().countDocuments({ state: 'open' })) === count ? true : undefined,
  )
  return ids
}
const operation = async (path: string) =>
  (await ask(path)).body as { state: string; done: number; failed: number; total: number }
const ended = (path: string) =>
  eventually('the operation to end', 200, async () => {
    const seen = await operation(path)
    return seen.state === 'running' ? undefined : seen
  })

describe('an operation', () => {
  it('goes on after the replayer is killed half-way, and every message is one signal', async () => {
    const ids = await fill(60)
    expect(await post('/api/dlq/replays', { dryRun: true })).toMatchObject({
      status: 200,
      body: { matched: 60, byReason: { storage_failed: 60 } },
    })
    const asked = await post('/api/dlq/replays', { filter: { reason: 'storage_failed' }, ratePerSecond: 15 })
    expect(asked).toMatchObject({ status: 202, body: { kind: 'replay', state: 'running', total: 60 } })
    const path = asked.headers.get('location') ?? ''
    await eventually('some to be replayed', 90, async () => ((await operation(path)).done > 0 ? true : undefined))
    await api.kill()
    const left = await letters().countDocuments({ state: 'open' })
    expect(left).toBeGreaterThan(0)
    expect(left).toBeLessThan(60)
    api = await site.start('api')
    expect(await ended(path)).toMatchObject({ state: 'done', done: 60, failed: 0, total: 60 })
    await queuesAreEmpty()
    await eventually('all to be stored', 90, async () =>
      (await site.store.signals.countDocuments({ messageId: { $in: ids } })) === 60 ? true : undefined,
    )
    expect(await letters().countDocuments({ state: 'open' })).toBe(0)
  })

  it('is cancelled, and leaves the rest open', async () => {
    await fill(20)
    const path = (await post('/api/dlq/replays', { ratePerSecond: 5 })).headers.get('location') ?? ''
    await eventually('some to be replayed', 90, async () => ((await operation(path)).done > 0 ? true : undefined))
    expect(await ask(path, { method: 'DELETE' })).toMatchObject({ status: 200, body: { state: 'cancelled' } })
    expect(await ask(path, { method: 'DELETE' })).toMatchObject({ status: 200, body: { state: 'cancelled' } })
    expect((await ended(path)).state).toBe('cancelled')
    expect(await letters().countDocuments({ state: 'open' })).toBeGreaterThan(0)
  })

  it('whose messages the broker cannot route leaves them open, and says how many failed', async () => {
    await fill(3)
    const [exchange, queue, key] = [site.names.exchange, site.names.queue, site.names.routingKey]
    await site.channel.unbindQueue(queue, exchange, key)
    await site.channel.unbindQueue(site.names.unrouted, site.names.unrouted, '')
    try {
      const path = (await post('/api/dlq/replays')).headers.get('location') ?? ''
      expect(await ended(path)).toMatchObject({ state: 'failed', done: 0, failed: 3 })
      expect(await letters().countDocuments({ state: 'open' })).toBe(3)
    } finally {
      await site.channel.bindQueue(site.names.unrouted, site.names.unrouted, '')
      await site.channel.bindQueue(queue, exchange, key)
    }
  })

  it('discards what matches and nothing else', async () => {
    await fill(3)
    await bury(message(recording()), 'schema_invalid')
    await eventually('four to be archived', 90, async () =>
      (await letters().countDocuments()) === 4 ? true : undefined,
    )
    const body = { filter: { reason: 'storage_failed' }, reason: 'a test' }
    const path = (await post('/api/dlq/discards', body)).headers.get('location') ?? ''
    expect(await ended(path)).toMatchObject({ state: 'done', done: 3, failed: 0 })
    expect(await letters().countDocuments({ state: 'discarded', note: 'a test' })).toBe(3)
    expect((await ask('/api/dlq/summary')).body).toMatchObject({ total: 1, byReason: { schema_invalid: 1 } })
    expect((await ask('/api/operations')).body).toMatchObject({ data: [{ kind: 'discard', state: 'done' }] })
  })
})

describe('the API', () => {
  it('pages through dead letters, each once', async () => {
    await fill(7)
    const seen: string[] = []
    let path: string | undefined = '/api/dlq?limit=3&reason=storage_failed'
    while (path !== undefined) {
      const { body } = await ask(path)
      seen.push(...(body.data as { id: string }[]).map(({ id }) => id))
      path = (body.links as { next?: string }).next
    }
    expect(seen).toHaveLength(7)
    expect(new Set(seen).size).toBe(7)
  })

  it('shows one with everything that it has, and counts it in health', async () => {
    const made = message(recording())
    await bury(made, 'schema_invalid')
    const { _id } = await archived(made.properties.messageId)
    expect((await ask(`/api/dlq/${_id.toHexString()}`)).body).toMatchObject({
      reason: 'schema_invalid',
      messageId: made.properties.messageId,
      headers: { 'x-dlq-detail': 'why', 'x-kid': 'p1' },
      properties: { contentType: 'application/json' },
      body: { text: made.body, base64: Buffer.from(made.body).toString('base64') },
    })
    await eventually('health to count it', 60, async () => {
      const health = (await (await fetch(`${api.url}/api/health`)).json()) as { deadLetters?: { open: number } }
      return health.deadLetters?.open === 1 ? true : undefined
    })
  })

  it.each<[number, string, string, string, unknown]>([
    [404, 'not_found', 'GET', `/api/dlq/${'0'.repeat(24)}`, undefined],
    [404, 'not_found', 'POST', `/api/dlq/${'0'.repeat(24)}/replay`, undefined],
    [400, 'malformed', 'GET', '/api/dlq/x', undefined],
    [400, 'malformed', 'POST', '/api/dlq/replays', '{'],
    [415, 'unsupported_media_type', 'POST', '/api/dlq/replays', new URLSearchParams('a=b')],
    [400, 'malformed', 'POST', '/api/dlq/replays', '{"dryrun":true}'],
    [413, 'body_too_large', 'POST', '/api/dlq/replays', `"${'x'.repeat(70_000)}"`],
    [400, 'invalid_parameter', 'GET', '/api/dlq?Reason=x', undefined],
    [400, 'invalid_parameter', 'GET', '/api/operations?page=1', undefined],
    [404, 'not_found', 'DELETE', '/api/operations/nothing', undefined],
    [405, 'method_not_allowed', 'DELETE', '/api/dlq', undefined],
    [405, 'method_not_allowed', 'GET', '/api/dlq/replays', undefined],
    [405, 'method_not_allowed', 'PUT', '/api/operations/x', undefined],
  ])('answers %d %s to %s %s', async (status, code, method, path, body) => {
    const type = body instanceof URLSearchParams ? 'application/x-www-form-urlencoded' : 'application/json'
    const answer = await fetch(`${api.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${TOKEN}`, ...(body !== undefined && { 'content-type': type }) },
      ...(body !== undefined && { body: body as string }),
    })
    expect({ status: answer.status, body: await answer.json() }).toMatchObject({ status, body: { code, status } })
    if (status === 405) expect(answer.headers.get('allow')).toBeTruthy()
  })

  it('shows nothing without a token', async () => {
    for (const path of ['/api/dlq', '/api/operations']) expect((await fetch(`${api.url}${path}`)).status).toBe(401)
  })

  it('replays one that somebody discarded for nobody', async () => {
    const made = message(recording())
    await bury(made, 'storage_failed')
    const { _id } = await archived(made.properties.messageId)
    await post(`/api/dlq/${_id.toHexString()}/discard`, { reason: 'a test' })
    expect(await post(`/api/dlq/${_id.toHexString()}/replay`)).toMatchObject({
      status: 409,
      body: { code: 'not_open' },
    })
    expect(await letters().findOne({ _id: new ObjectId(_id) })).toMatchObject({ state: 'discarded', note: 'a test' })
    expect(await stored(made.properties.messageId)).toBe(0)
  })
})

describe('xrayctl', () => {
  const dlq = (...args: string[]) =>
    spawnSync(process.execPath, ['services/cli/main.ts', 'dlq', ...args, '--api', api.url, '--token', TOKEN], {
      encoding: 'utf8',
      env: { PATH: process.env.PATH },
    })

  it('counts, shows, exports and replays what is dead', async () => {
    const made = message(recording({ timestamp: 1735683999000 }))
    await bury(made, 'storage_failed')
    const { _id } = await archived(made.properties.messageId)
    const id = _id.toHexString()
    expect(dlq('stats').stdout).toMatch(/storage_failed +1\nall +1/)
    expect(dlq('list', '--reason', 'storage_failed', '--from', '1h').stdout).toContain(id)
    expect(dlq('show', id).stdout).toContain(made.body)
    expect(JSON.parse(dlq('export').stdout)).toMatchObject({ id, body: { text: made.body } })
    expect(dlq('replay').status).toBe(8)
    expect(await letters().countDocuments({ state: 'open' })).toBe(1)
    expect(dlq('replay', '--reason', 'storage_failed', '-y')).toMatchObject({ status: 0, stdout: '1 of 1 replayed\n' })
    await untilStored(made.properties.messageId)
    expect(dlq('show', '0'.repeat(24)).status).toBe(4)
  })
})

it('metrics tell how many are open, archived and replayed', async () => {
  await bury(message(recording()), 'transform_failed')
  await eventually('it to be counted as open', 150, async () =>
    /xray_dlq_open_messages\{reason="transform_failed"[^}]*\} 1/.test(await api.metrics()) ? true : undefined,
  )
  expect(await signals.metrics()).toMatch(/xray_dlq_archived_total\{reason="transform_failed"[^}]*\} [1-9]/)
  expect(await api.metrics()).toMatch(/xray_dlq_replays_total\{result="replayed"[^}]*\} [1-9]/)
})
