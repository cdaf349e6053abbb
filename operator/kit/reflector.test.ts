import type { Http2ServerResponse } from 'node:http2'
import { describe, expect, it } from 'vitest'
import { say, withWire } from '../../tests/stand/wire.ts'
import { createClient } from './client.ts'
import type { KubeObject } from './object.ts'
import { type Change, type ReflectOptions, type Reflector, reflect } from './reflector.ts'

const MAPS = { group: '', version: 'v1', plural: 'configmaps', kind: 'ConfigMap' }

const item = (name: string, version: string, change: object = {}) => ({
  metadata: { name, namespace: 'n', uid: `uid-${name}`, resourceVersion: version, managedFields: [], ...change },
})

type Script = ((response: Http2ServerResponse) => void)[]
const list =
  (version: string, items: object[], next = '') =>
  (response: Http2ServerResponse): void =>
    say(response, 200, { metadata: { resourceVersion: version, continue: next }, items })
const expired = (response: Http2ServerResponse): void => say(response, 410, { code: 410, reason: 'Expired' })
const line = (type: string, object: object): string => `${JSON.stringify({ type, object })}\n`

/** A watch that tells these lines and then is left open, or ended. */
const watch =
  (lines: string[], end?: 'end' | 'reset') =>
  (response: Http2ServerResponse): void => {
    response.writeHead(200)
    response.write(lines.join('') || '\n')
    if (end === 'end') response.end()
    if (end === 'reset') setImmediate(() => response.stream.session?.destroy())
  }

type World = { reflector: Reflector; told: string[]; changes: Change[]; failed: string[]; asked: string[] }

/** A reflector of a server that answers what the script says, in that order, and nothing else. */
const withReflector = (
  script: Script,
  use: (world: World) => Promise<void>,
  options: ReflectOptions = {},
  changed: (change: Change) => void = () => undefined,
): Promise<void> => {
  const unplanned: string[] = []
  const asked: string[] = []
  return withWire(
    (seen, response) => {
      const query = new URL(seen.path, 'https://a').searchParams
      const from = query.get('resourceVersion')
      const page = query.get('continue')
      asked.push(query.has('watch') ? `watch ${from}` : `list ${page ?? (query.has('limit') ? 'pages' : 'all')}`)
      const answer = script.shift()
      if (answer === undefined) unplanned.push(asked.at(-1) ?? '')
      else answer(response)
    },
    async ({ kubeConfig }) => {
      const metrics = { answered: () => undefined, retried: () => undefined }
      const client = createClient(kubeConfig(), { userAgent: 'kit-test', metrics })
      const world = { told: [] as string[], changes: [] as Change[], failed: [] as string[], asked }
      const reflector = reflect(
        client,
        MAPS,
        options,
        (change) => {
          const version = (object: KubeObject | undefined) => object?.metadata.resourceVersion ?? '-'
          world.told.push(`${change.key} ${version(change.before)}>${version(change.after)}`)
          world.changes.push(change)
          changed(change)
        },
        (error) => world.failed.push(error.message),
      )
      try {
        await use({ ...world, reflector })
        expect([script.length, unplanned], 'answers that nobody asked for, and questions nobody expected').toEqual([
          0,
          [],
        ])
      } finally {
        await reflector.close()
        await client.close()
      }
    },
  )
}

const until = (what: () => unknown) => expect.poll(what, { timeout: 10_000, interval: 5 })

describe.concurrent('a reflector', () => {
  it('lists in pages, then tells what it watches', () =>
    withReflector(
      [
        list('10', [item('a', '1')], 'more'),
        list('10', [item('b', '2')]),
        watch([line('MODIFIED', item('a', '11')), line('ADDED', item('c', '12')), line('DELETED', item('b', '13'))]),
      ],
      async ({ reflector, told, changes, asked }) => {
        await until(() => told.length).toBe(5)
        expect(told).toEqual(['n/a ->1', 'n/b ->2', 'n/a 1>11', 'n/c ->12', 'n/b 2>-'])
        expect(asked).toEqual(['list pages', 'list more', 'watch 10'])
        expect(changes.map(({ initial }) => initial)).toEqual([true, true, false, false, false])
        expect(reflector.synced()).toBe(true)
        expect(reflector.list().map(({ metadata }) => metadata.name)).toEqual(['a', 'c'])
        expect(reflector.get('n/a')).toEqual({
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { name: 'a', namespace: 'n', uid: 'uid-a', resourceVersion: '11' },
        })
      },
    ))

  it('goes on from its last bookmark when a watch ends, without a new list', () =>
    withReflector(
      [
        list('10', []),
        watch([line('BOOKMARK', { metadata: { resourceVersion: '500' } })], 'end'),
        watch([line('ADDED', item('a', '501'))]),
      ],
      async ({ told, asked, failed }) => {
        await until(() => told.length).toBe(1)
        expect([asked, failed]).toEqual([['list pages', 'watch 10', 'watch 500'], []])
      },
    ))

  it.each([
    ['is lost', watch([line('ADDED', item('a', '11'))], 'reset'), '11'],
    ['is refused for now', (response: Http2ServerResponse) => say(response, 429, {}), '10'],
    ['fails', (response: Http2ServerResponse) => say(response, 500, {}), '10'],
  ])('asks for the same version again when a watch %s', (_, answer, version) =>
    withReflector(
      [list('10', []), answer, watch([line('ADDED', item('b', '12'))])],
      async ({ told, asked, failed }) => {
        await until(() => told.at(-1)).toBe('n/b ->12')
        expect([asked, failed.length]).toEqual([['list pages', 'watch 10', `watch ${version}`], 1])
      },
    ),
  )

  it('comes back when the server says', async () => {
    const times: number[] = []
    const timed = (answer: Script[number]) => (response: Http2ServerResponse) => {
      times.push(performance.now())
      answer(response)
    }
    await withReflector(
      [
        list('10', []),
        timed((response) => say(response, 429, {}, { 'retry-after': '2' })),
        timed(watch([line('ADDED', item('a', '11'))])),
      ],
      async ({ told }) => {
        await until(() => told.length).toBe(1)
        expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(1_990)
      },
    )
  })

  it.each([
    ['keeps its version no longer', expired],
    ['says so in the watch', watch([line('ERROR', { code: 410, reason: 'Expired' })])],
    [
      'never came to its version',
      (response: Http2ServerResponse) =>
        say(response, 504, { reason: 'Timeout', details: { causes: [{ reason: 'ResourceVersionTooLarge' }] } }),
    ],
  ])('lists again when the server %s, and tells what has changed and gone meanwhile', (_, answer) =>
    withReflector(
      [
        list('10', [item('a', '1'), item('b', '2'), item('c', '3')]),
        answer,
        list('20', [item('a', '1'), item('b', '15')]),
        watch([]),
      ],
      async ({ told, changes, asked, failed }) => {
        await until(() => asked.at(-1)).toBe('watch 20')
        expect(told.slice(3)).toEqual(['n/b 2>15', 'n/c 3>-'])
        expect(changes.slice(3).map(({ unseen }) => unseen)).toEqual([false, true])
        expect(failed).toEqual([])
      },
    ),
  )

  it('starts a list anew whose pages expire, and then reads it in one piece', () =>
    withReflector(
      [
        list('10', [item('a', '1')], 'more'),
        expired,
        list('11', [item('a', '1')], 'again'),
        expired,
        list('12', [item('a', '1'), item('b', '2')]),
        watch([]),
      ],
      async ({ told, asked }) => {
        await until(() => asked.at(-1)).toBe('watch 12')
        expect(asked).toEqual(['list pages', 'list more', 'list pages', 'list again', 'list all', 'watch 12'])
        expect(told).toEqual(['n/a ->1', 'n/b ->2'])
      },
    ))

  it('tells an object that was made anew as gone and come', () =>
    withReflector(
      [list('10', [item('a', '1')]), watch([line('MODIFIED', item('a', '12', { uid: 'another' }))])],
      async ({ told, changes }) => {
        await until(() => told.length).toBe(3)
        expect(told).toEqual(['n/a ->1', 'n/a 1>-', 'n/a ->12'])
        expect(changes[1]?.unseen).toBe(true)
      },
    ))

  it('does not believe a watch that tells the past', () =>
    withReflector(
      [
        list('9', [item('a', '8'), item('b', '9')]),
        watch([
          line('MODIFIED', item('a', '10')),
          line('DELETED', item('b', '11')),
          line('MODIFIED', item('a', '8')),
          line('DELETED', item('a', '9')),
          line('MODIFIED', item('b', '9')),
          line('ADDED', item('c', '12')),
        ]),
      ],
      async ({ told, reflector }) => {
        await until(() => told).toContain('n/c ->12')
        expect(told).toEqual(['n/a ->8', 'n/b ->9', 'n/a 8>10', 'n/b 9>-', 'n/c ->12'])
        expect(reflector.get('n/a')?.metadata.resourceVersion).toBe('10')
        expect(reflector.get('n/b')).toBeUndefined()
      },
    ))

  it('takes versions that are no numbers as they come', () =>
    withReflector(
      [list('x', [item('a', 'w')]), watch([line('MODIFIED', item('a', 'b')), line('MODIFIED', item('a', 'a'))])],
      async ({ told }) => {
        await until(() => told).toEqual(['n/a ->w', 'n/a w>b', 'n/a b>a'])
      },
    ))

  it('goes on when a handler throws', () =>
    withReflector(
      [list('10', [item('a', '1')]), watch([line('ADDED', item('b', '11'))])],
      async ({ told, failed, reflector }) => {
        await until(() => told.length).toBe(2)
        expect(failed).toEqual(['no a', 'no b'])
        expect(reflector.list().length).toBe(2)
      },
      {},
      ({ after }) => {
        throw new Error(`no ${after?.metadata.name}`)
      },
    ))

  it('does not ask in a loop when watches end at once', async () => {
    const ended = (response: Http2ServerResponse) => void response.writeHead(200).end()
    await withReflector([list('10', []), ended, ended, watch([])], async ({ asked, failed }) => {
      const startedAt = performance.now()
      await until(() => asked.length).toBe(4)
      // Back-offs of at least 0.8 and 1.6 s.
      expect(performance.now() - startedAt).toBeGreaterThan(2_300)
      expect(failed[0]).toBe('a watch of configmaps ended at once')
    })
  })

  it('that was closed while it listed neither watches nor tells', () =>
    withReflector([(response) => void response.writeHead(200)], async ({ reflector, asked, failed }) => {
      await until(() => asked.length).toBe(1)
      await reflector.close()
      expect([asked, failed]).toEqual([['list pages'], []])
    }))

  it('finds what an owner has, and keeps what the transform makes, frozen if asked', () =>
    withReflector(
      [list('10', [item('a', '1', { ownerReferences: [{ uid: 'o' }] })]), watch([])],
      async ({ reflector, asked }) => {
        await until(() => asked.length).toBe(2)
        const [found] = reflector.by('owner', 'o')
        expect(found).toMatchObject({ kept: true })
        expect(() => Object.assign(found?.metadata ?? {}, { name: 'b' })).toThrow(TypeError)
      },
      {
        frozen: true,
        transform: (object) => ({ ...object, kept: true }),
        indexers: { owner: ({ metadata }) => metadata.ownerReferences?.map(({ uid }) => uid) ?? [] },
      },
    ))
})
