import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createApplier } from '#kit/apply.ts'
import type { Client, KubeObject } from '#kit/client.ts'
import { createRecorder } from '#kit/events.ts'
import { createExpectations, expecting } from '#kit/expectations.ts'
import { fenced } from '#kit/fence.ts'
import { holdLease, type Lease } from '#kit/lease.ts'
import { must } from '../stand/condition.ts'
import { withHalfOpen } from '../stand/wire.ts'
import { type ControlPlane, openControlPlane } from './control-plane.ts'
import { CONFIG_MAPS, configMap, openClient, pathOf } from './kit-plane.ts'

let plane: ControlPlane
let client: Client
beforeAll(async () => {
  plane = await openControlPlane()
  client = openClient(plane)
})
afterAll(async () => {
  await client?.close()
  await plane?.close()
})

const read = (name: string) => client.request<KubeObject>({ method: 'GET', path: pathOf(name) })
const MERGE = 'application/merge-patch+json'
const change = (name: string, body: object) =>
  client.request<KubeObject>({ method: 'PATCH', path: pathOf(name), body, contentType: MERGE })

/** An applier, and how often it sent or skipped. */
const open = () => {
  const results: string[] = []
  const expectations = createExpectations(() => performance.now())
  const metrics = { applied: (result: string) => void results.push(result) }
  return { results, ...createApplier(expecting(client, expectations), 'kit', expectations, metrics) }
}

describe('an apply', () => {
  it('that would change nothing is not sent', async () => {
    const { apply, results } = open()
    const first = await apply(CONFIG_MAPS, configMap('same', { a: '1' }), undefined)
    await apply(CONFIG_MAPS, configMap('same', { a: '1' }), first)
    await apply(CONFIG_MAPS, configMap('same', { a: '1' }), undefined)
    await apply(CONFIG_MAPS, configMap('same', { a: '2' }), first)
    expect(results).toEqual(['sent', 'skipped', 'skipped', 'sent'])
  })

  it("puts back what another changed of ours, leaves what is another's, and drops what we no longer name", async () => {
    const { apply } = open()
    const first = await apply(CONFIG_MAPS, configMap('drift', { ours: '1', dropped: '1' }), undefined)
    const drifted = await change('drift', { data: { ours: 'no', theirs: 'yes' } })
    expect(drifted.metadata.uid).toBe(first.metadata.uid)
    const now = await apply(CONFIG_MAPS, configMap('drift', { ours: '1' }), drifted)
    expect(now.data).toEqual({ ours: '1', theirs: 'yes' })
  })

  it('with a field that does not exist is refused, not cut short', async () => {
    const intent = { ...configMap('typo'), date: {} } as unknown as KubeObject
    await expect(open().apply(CONFIG_MAPS, intent, undefined)).rejects.toThrow('.date: field not declared in schema')
  })

  it('for a uid makes nothing when that object is gone', async () => {
    const { apply, remove } = open()
    const first = await apply(CONFIG_MAPS, configMap('once'), undefined)
    await remove(CONFIG_MAPS, first)
    const intent = configMap('once', { a: '1' }, { uid: first.metadata.uid })
    await expect(apply(CONFIG_MAPS, intent, first)).rejects.toMatchObject({ status: 409 })
    await expect(read('once')).rejects.toMatchObject({ status: 404 })
  })

  it('owns its fields again after the API server lost who owned them', async () => {
    const { apply } = open()
    await apply(CONFIG_MAPS, configMap('lost', { a: '1', b: '1' }), undefined)
    const lost = await change('lost', { metadata: { managedFields: [{}] } })
    expect(lost.metadata.managedFields ?? []).toEqual([])
    await apply(CONFIG_MAPS, configMap('lost', { a: '2', b: '1' }), lost)
    const now = await apply(CONFIG_MAPS, configMap('lost', { a: '2' }), await read('lost'))
    expect(now.data).toEqual({ a: '2' })
    expect((await read('lost')).metadata.managedFields?.map(({ manager }) => manager)).toEqual(['kit'])
  })
})

describe('a deletion', () => {
  it('never takes an object of the same name that was made anew', async () => {
    const { apply, remove } = open()
    const first = await apply(CONFIG_MAPS, configMap('anew'), undefined)
    await remove(CONFIG_MAPS, first)
    const second = await apply(CONFIG_MAPS, configMap('anew', { a: '1' }), undefined)
    await remove(CONFIG_MAPS, first)
    expect((await read('anew')).metadata.uid).toBe(second.metadata.uid)
  })

  it('of an object that has changed since it was seen is refused', async () => {
    const { apply, remove } = open()
    const first = await apply(CONFIG_MAPS, configMap('changed'), undefined)
    await change('changed', { data: { a: '1' } })
    await expect(remove(CONFIG_MAPS, first)).rejects.toMatchObject({ status: 409 })
    await remove(CONFIG_MAPS, await read('changed'))
    await remove(CONFIG_MAPS, first)
  })
})

describe('events', () => {
  const events = async (reason: string) =>
    (await plane.api.list('/apis/events.k8s.io/v1/namespaces/default/events')).filter(
      (event) => event.reason === reason,
    )
  const said = (reason: string, note = 'so') => ({ type: 'Normal' as const, reason, action: 'Test', note })

  it('that repeat are one with a count, in this process and the next', async () => {
    const regarding = await open().apply(CONFIG_MAPS, configMap('told'), undefined)
    const failures: string[] = []
    for (const instance of ['one', 'two']) {
      const { record, close } = createRecorder(client, 'kit/test', instance, ({ message }) => failures.push(message))
      for (const _ of [1, 2, 3, 4, 5]) record(regarding, said('Repeated'))
      await close()
    }
    expect(failures).toEqual([])
    expect(await events('Repeated')).toMatchObject([{ note: 'so', series: { count: 10 }, reportingInstance: 'one' }])
  })

  it('too many of one object are dropped', async () => {
    const regarding = await open().apply(CONFIG_MAPS, configMap('noisy'), undefined)
    const { record, close } = createRecorder(client, 'kit/test', 'one', () => undefined)
    for (let number = 0; number < 100; number++) record(regarding, said('Noisy', String(number)))
    await close()
    expect((await events('Noisy')).length).toBe(25)
  })
})

describe('a lease', () => {
  /** client-go's times, three times as fast. */
  const times = { durationSeconds: 5, renewDeadlineMs: 3_300, retryMs: 650 }
  const hold = (name: string, by: Client, place = 'lease') => {
    const told: string[] = []
    const lease: Lease = holdLease(
      by,
      { namespace: 'default', name: place, identity: name },
      () => told.push('gained'),
      (error) => told.push(`lost: ${error.message}`),
      times,
    )
    return { ...lease, told }
  }
  const leading = (one: { isLeader: () => boolean }) => async () => (one.isLeader() ? true : undefined)

  it('has one holder, and the next soon after it is released', async () => {
    const one = hold('one', client)
    await must('the first to lead', 30_000, leading(one))
    const two = hold('two', client)
    await must('a renewal', 30_000, async () => (await renewals('lease')) > 2 || undefined)
    expect([one.told, two.told]).toEqual([['gained'], []])
    const releasedAt = performance.now()
    await one.release()
    await must('the second to lead', 30_000, leading(two))
    expect(performance.now() - releasedAt).toBeLessThan(3_500)
    await two.release()
    expect([one.told, two.told]).toEqual([['gained'], ['gained']])
  })

  it('costs its holder one request each time', async () => {
    const one = hold('one', client, 'cheap')
    await must('it to lead', 30_000, leading(one))
    const mark = plane.audit.mark()
    const verbs = () => plane.audit.since(mark).filter(({ name }) => name === 'cheap')
    await must('five renewals', 30_000, async () => (verbs().length >= 5 ? true : undefined))
    expect(new Set(verbs().map(({ verb }) => verb))).toEqual(new Set(['update']))
    await one.release()
  })

  it('that cannot be renewed is lost before another may take it, and fences what is sent after', () =>
    withHalfOpen(Number(new URL(plane.server).port), async (door) => {
      const cut = openClient(plane, `https://127.0.0.1:${door.port}`)
      const one = hold('one', cut, 'cut')
      await must('the first to lead', 30_000, leading(one))
      const two = hold('two', client, 'cut')
      const gone = openClient(plane)
      const write = fenced(gone, one.isLeader)
      await write.request({ method: 'POST', path: pathOf('').slice(0, -1), body: configMap('by-one') })
      door.silence()
      await must('the first to lose it', 30_000, async () => (one.told.length === 2 ? true : undefined))
      expect([one.isLeader(), two.isLeader()]).toEqual([false, false])
      expect(one.told[1]).toBe('lost: the lease could not be renewed for 3.3 s')
      await expect(write.request({ method: 'DELETE', path: pathOf('by-one') })).rejects.toThrow("the leader's")
      await must('the second to lead', 30_000, leading(two))
      await two.release()
      await Promise.all([cut.close(), gone.close()])
    }))

  it('on a connection that is half open is renewed over another one', () =>
    withHalfOpen(Number(new URL(plane.server).port), async (door) => {
      const through = openClient(plane, `https://127.0.0.1:${door.port}`)
      const one = hold('one', through, 'half-open')
      await must('it to lead', 30_000, leading(one))
      const before = await renewals('half-open')
      door.swallow()
      await must('a renewal', 30_000, async () => ((await renewals('half-open')) > before + 1 ? true : undefined))
      expect(one.told).toEqual(['gained'])
      await one.release()
      await through.close()
    }))

  /** A client of a machine whose clock is wrong; it sends nothing any more once it is dead. */
  const withClock = (offsetMs: number, dead: () => boolean): Client => ({
    ...client,
    request: (request) => {
      if (dead()) return Promise.reject(new Error('dead'))
      const shifted = (_: string, value: unknown) =>
        typeof value === 'string' && /^\d{4}-\d\d-\d\dT.*000Z$/.test(value)
          ? new Date(Date.parse(value) + offsetMs).toISOString().replace('Z', '000Z')
          : value
      return client.request(
        request.body === undefined ? request : { ...request, body: JSON.parse(JSON.stringify(request.body), shifted) },
      )
    },
  })

  it.each([
    ['an hour slow', -3_600_000],
    ['an hour fast', 3_600_000],
  ])('of a holder whose clock is %s is taken when it renews it no more, and not before', async (name, offsetMs) => {
    const place = name.replaceAll(' ', '-')
    let dead = false
    const one = hold(
      'one',
      withClock(offsetMs, () => dead),
      place,
    )
    await must('the first to lead', 30_000, leading(one))
    const two = hold('two', client, place)
    await must('renewals for more than its duration', 60_000, async () => (await renewals(place)) > 10 || undefined)
    expect([one.isLeader(), two.told]).toEqual([true, []])
    dead = true
    await must('the second to lead', 60_000, leading(two))
    expect(one.isLeader()).toBe(false)
    await Promise.all([one.release(), two.release()])
  })

  it('whose holder sees another name has lost it', async () => {
    const one = hold('one', client, 'stolen')
    await must('it to lead', 30_000, leading(one))
    const path = '/apis/coordination.k8s.io/v1/namespaces/default/leases/stolen'
    await client.request({ method: 'PATCH', path, body: { spec: { holderIdentity: 'thief' } }, contentType: MERGE })
    await must('it to be lost', 30_000, async () => (one.told.length === 2 ? true : undefined))
    expect(one.told[1]).toBe('lost: the lease is held by thief')
  })

  /** How often a lease was written, as far as the audit log tells. */
  const renewals = async (name: string): Promise<number> =>
    plane.audit.since(0).filter((entry) => entry.name === name && entry.verb === 'update').length
})
