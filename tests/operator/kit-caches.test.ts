import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Client, type KubeObject, METADATA_ONLY } from '#kit/client.ts'
import { createExpectations, expecting } from '#kit/expectations.ts'
import { controllerReference } from '#kit/owners.ts'
import { type Change, type ReflectOptions, reflect } from '#kit/reflector.ts'
import { collectionPath, objectPath } from '#kit/resource.ts'
import { createSharing } from '#kit/sharing.ts'
import { byOwner } from '#kit/store.ts'
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

const MERGE = 'application/merge-patch+json'
const create = (name: string, metadata: object = {}) =>
  client.request<KubeObject>({
    method: 'POST',
    path: collectionPath(CONFIG_MAPS, 'default'),
    body: configMap(name, { a: '1' }, metadata),
  })
const remove = (name: string) => client.request({ method: 'DELETE', path: pathOf(name) })

type Followed = { told: () => string[]; changes: Change[]; failed: string[] } & ReturnType<typeof reflect>

/** A reflector of the ConfigMaps with this label, and what it tells. */
const withFollowed = async (
  label: string,
  use: (followed: Followed) => Promise<void>,
  { by = client, ...options }: ReflectOptions & { by?: Client } = {},
): Promise<void> => {
  const changes: Change[] = []
  const failed: string[] = []
  const reflector = reflect(
    by,
    CONFIG_MAPS,
    { namespace: 'default', labelSelector: `of=${label}`, frozen: true, ...options },
    (change) => changes.push(change),
    (error) => failed.push(error.message),
  )
  const verb = ({ before, after }: Change) => (before === undefined ? '+' : after === undefined ? '-' : '~')
  const told = () => changes.map((change) => `${verb(change)}${change.key.replace('default/', '')}`)
  try {
    await must('the first list', 30_000, async () => reflector.synced() || undefined)
    await use({ ...reflector, told, changes, failed })
  } finally {
    await reflector.close()
  }
}
const telling = (followed: Followed, wanted: string, limitMs = 20_000) =>
  must(`it to tell ${wanted}`, limitMs, async () => followed.told().includes(wanted) || undefined)

describe('a reflector of a real API server', () => {
  it('reads a list of many pages, then follows', async () => {
    const labels = { of: 'many' }
    await Promise.all(Array.from({ length: 600 }, (_, number) => create(`many-${number}`, { labels })))
    await withFollowed('many', async (followed) => {
      expect(followed.list().length).toBe(600)
      expect(followed.changes.every(({ initial }) => initial)).toBe(true)
      await remove('many-7')
      await telling(followed, '-many-7')
      expect(followed.list()[0]?.metadata).not.toHaveProperty('managedFields')
    })
  })

  it('goes on after the API server was restarted, without a new list', async () => {
    const labels = { of: 'restart' }
    await create('before-restart', { labels })
    await withFollowed('restart', async (followed) => {
      const mark = plane.audit.mark()
      await plane.restartApiServer()
      await create('after-restart', { labels })
      await telling(followed, '+after-restart', 60_000)
      expect(followed.told()).toEqual(['+before-restart', '+after-restart'])
      const lists = plane.audit.since(mark).filter(({ verb, userAgent }) => verb === 'list' && userAgent === 'kit-test')
      expect(lists).toEqual([])
    })
  })

  it('lists again when its version is compacted, and tells what it missed', async () => {
    const labels = { of: 'compaction' }
    await Promise.all(['goes', 'stays', 'anew'].map((name) => create(name, { labels })))
    await withHalfOpen(Number(new URL(plane.server).port), async (door) => {
      const by = openClient(plane, `https://127.0.0.1:${door.port}`)
      await withFollowed(
        'compaction',
        async (followed) => {
          door.cut()
          await remove('goes')
          await remove('anew')
          await create('anew', { labels })
          await create('comes', { labels })
          await plane.compact()
          await plane.restartApiServer()
          door.restore()
          await telling(followed, '+comes', 60_000)
          await telling(followed, '-goes')
          expect(followed.told().slice(3).toSorted()).toEqual(['+anew', '+comes', '-anew', '-goes'])
          expect(
            followed.changes
              .filter(({ unseen }) => unseen)
              .map(({ key }) => key)
              .toSorted(),
          ).toEqual(['default/anew', 'default/goes'])
        },
        { by },
      )
      await by.close()
    })
  })

  it('shows metadata only when asked, of a Secret too', async () => {
    const secrets = { group: '', version: 'v1', plural: 'secrets', kind: 'Secret' }
    const content = Buffer.from('told to nobody').toString('base64')
    const body = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'quiet' }, data: { key: content } }
    await client.request({ method: 'POST', path: collectionPath(secrets, 'default'), body })
    const asked = { method: 'GET', path: objectPath(secrets, 'default', 'quiet'), accept: METADATA_ONLY } as const
    expect(await client.text(asked)).not.toContain(content)
    const found: KubeObject[] = []
    const options = { namespace: 'default', metadataOnly: true }
    const reflector = reflect(
      client,
      secrets,
      options,
      ({ after }) => after && found.push(after),
      () => undefined,
    )
    await must('the Secret', 30_000, async () => found.find(({ metadata }) => metadata.name === 'quiet'))
    await client.request({
      method: 'PATCH',
      path: asked.path,
      body: { metadata: { labels: { a: 'b' } } },
      contentType: MERGE,
    })
    await must('its label', 30_000, async () => found.find(({ metadata }) => metadata.labels?.a === 'b'))
    expect(JSON.stringify(found)).not.toContain(content)
    await reflector.close()
  })

  it('finds the children of an owner, with equal parts shared', async () => {
    const owner = await create('owner')
    const metadata = { labels: { of: 'owner' }, ownerReferences: [controllerReference(owner)] }
    await Promise.all(['child-1', 'child-2'].map((name) => create(name, metadata)))
    await withFollowed(
      'owner',
      async ({ by }) => {
        const [one, two] = by('owner', owner.metadata.uid ?? '')
        expect([one?.metadata.name, two?.metadata.name].toSorted()).toEqual(['child-1', 'child-2'])
        expect(one?.metadata.ownerReferences).toBe(two?.metadata.ownerReferences)
      },
      { transform: createSharing(), indexers: { owner: byOwner } },
    )
  })

  it('meets what is expected of it within moments of a write', async () => {
    const expectations = createExpectations(() => performance.now())
    const writer = expecting(client, expectations)
    await withFollowed(
      'expected',
      async ({ get }) => {
        const caughtUp = (name: string) => () =>
          Promise.resolve(expectations.caughtUp(pathOf(name), get(`default/${name}`)) || undefined)
        const path = collectionPath(CONFIG_MAPS, 'default')
        const made = await writer.request<KubeObject>({
          method: 'POST',
          path,
          body: configMap('expected', {}, { labels: { of: 'expected' } }),
        })
        await must('the creation to be seen', 5_000, caughtUp('expected'))
        expect(get('default/expected')?.metadata.uid).toBe(made.metadata.uid)
        const body = { preconditions: { uid: made.metadata.uid } }
        await writer.request({ method: 'DELETE', path: pathOf('expected'), body })
        await must('the deletion to be seen', 5_000, caughtUp('expected'))
        expect(get('default/expected')).toBeUndefined()
      },
      { expectations },
    )
  })
})
