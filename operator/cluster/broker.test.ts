import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { NotLeadingError } from '#kit/errors.ts'
import { createBrokers } from './broker.ts'

const asked: string[] = []
const server = createServer(({ method }, response) => {
  asked.push(method ?? '')
  response.writeHead(method === 'GET' ? 200 : 204).end()
})
beforeAll(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)))
afterAll(() => new Promise((resolve) => server.close(resolve)))

it('what changes a broker is sent by the leader alone, who is asked right before; everybody may look', async () => {
  let leads = true
  const brokers = createBrokers(() => leads)
  const managementUri = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const broker = brokers.of({ managementUri, username: 'u', password: 'p', vhost: '/' })
  for (const method of ['GET', 'PUT', 'POST', 'DELETE'] as const) await broker.request(method, '/api/queues/%2F/q')
  leads = false
  for (const method of ['PUT', 'POST', 'DELETE'] as const)
    await expect(broker.request(method, '/api/queues/%2F/q')).rejects.toThrow(NotLeadingError)
  expect(await broker.request('GET', '/api/queues/%2F')).toMatchObject({ status: 200 })
  await brokers.close()
  expect(asked).toEqual(['GET', 'PUT', 'POST', 'DELETE', 'GET'])
})
