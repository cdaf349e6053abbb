import { expect, it } from 'vitest'
import { DEFAULTS } from '#contract/pipeline.ts'
import { ApiError, type Client } from '#kit/client.ts'
import type { Pipeline } from '../decide/pipeline.ts'
import { createSecrets } from './secrets.ts'

const pipelineOf = (uid: string): Pipeline => ({
  apiVersion: 'xrayiot.dev/v1alpha1',
  kind: 'XRayPipeline',
  metadata: { name: 'leipzig', namespace: 'xray', uid, generation: 1 },
  spec: DEFAULTS,
})
const pipeline = pipelineOf('u1')

/** An API server with these Secrets, by name, that keeps what was asked of it. */
const world = (...names: string[]) => {
  const there = new Map(names.map((name) => [name, `${name}-uid`]))
  const asked: string[] = []
  const client: Client = {
    request: async <T>({ method, path, body }: Parameters<Client['request']>[0]): Promise<T> => {
      const made = (body as { metadata?: { name?: string } } | undefined)?.metadata?.name
      const name = made ?? path.slice(path.lastIndexOf('/') + 1)
      asked.push(`${method} ${name}`)
      if (method === 'POST' && there.has(name)) throw new ApiError(409, 'AlreadyExists', 'it is there')
      if (method === 'POST') there.set(name, `${name}-made`)
      const uid = there.get(name)
      if (uid === undefined) throw new ApiError(404, 'NotFound', 'it is not there')
      const data = { uri: Buffer.from('amqp://there').toString('base64') }
      const labels = { 'app.kubernetes.io/managed-by': 'xray-operator' }
      return { metadata: { name, uid, resourceVersion: '7', labels }, data } as T
    },
    text: () => Promise.reject(new Error('not asked for here')),
    watch: () => {
      throw new Error('Secrets are not watched')
    },
    close: async () => undefined,
  }
  return { asked, secrets: createSecrets(client), there }
}

const CONNECTIONS = ['xray-rabbitmq', 'xray-mongodb', 'xray-redis']

it('keys that are there are read of, once, and not written', async () => {
  const { asked, secrets } = world('leipzig-keys')
  await secrets.ensureKeys(pipeline, undefined)
  await secrets.ensureKeys(pipeline, undefined)
  expect(asked).toEqual(['GET leipzig-keys'])
})

it('keys that are not there are made, and their version is known by that', async () => {
  const { asked, secrets } = world(...CONNECTIONS)
  await secrets.ensureKeys(pipeline, undefined)
  expect(await secrets.versions(pipeline)).toMatchObject({ keys: 'leipzig-keys-made.7' })
  expect(asked.filter((request) => request.endsWith('keys'))).toEqual(['GET leipzig-keys', 'POST leipzig-keys'])
})

it('keys that pods were started with are not asked for after a restart', async () => {
  const { asked, secrets } = world()
  await secrets.ensureKeys(pipeline, 'u.1')
  expect(asked).toEqual([])
})

it('keys that went with a former pipeline of the name are made anew', async () => {
  const { asked, secrets, there } = world('leipzig-keys')
  await secrets.ensureKeys(pipeline, undefined)
  there.delete('leipzig-keys')
  await secrets.ensureKeys(pipelineOf('u2'), undefined)
  expect(asked).toEqual(['GET leipzig-keys', 'GET leipzig-keys', 'POST leipzig-keys'])
})

it('a hundred pipelines of one namespace that ask at once read each connection once', async () => {
  const { asked, secrets } = world(...CONNECTIONS, 'leipzig-keys')
  await Promise.all(Array.from({ length: 100 }, () => secrets.versions(pipeline)))
  expect(asked.toSorted()).toEqual([...CONNECTIONS, 'leipzig-keys'].map((name) => `GET ${name}`).toSorted())
})
