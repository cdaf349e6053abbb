import { expect, it } from 'vitest'
import type { Broker } from './broker.ts'
import { deleteTopology } from './topology.ts'

/** A broker that answers each deletion of a kind with a status. */
const answering = (kind: string, status: number): Broker => ({
  managementUri: 'http://broker',
  username: 'u',
  password: 'p',
  vhost: '/',
  request: async (_, path) => ({ status: path.startsWith(`/api/${kind}/`) ? status : 204, text: 'resource_locked' }),
})
const removing = (kind: string, status: number) =>
  deleteTopology(answering(kind, status), { queues: ['q'], exchanges: ['x'] })

it.each([
  ['a queue that is gone', 'queues', 404],
  ['a policy that is gone', 'policies', 404],
  ['an exchange that others still bind', 'exchanges', 400],
])('%s holds nothing up', async (_, kind, status) => expect(removing(kind, status)).resolves.toBeUndefined())

it.each([
  ['queues', 400],
  ['policies', 400],
  ['queues', 500],
  ['exchanges', 500],
])('a deletion among %s that is answered %i is not done, and says why', async (kind, status) =>
  expect(removing(kind, status)).rejects.toThrow(new RegExp(`answered ${status} to DELETE .*${kind}.*resource_locked`)),
)
