import { expect, it } from 'vitest'
import type { Client, Method, Request } from './client.ts'
import { fenced } from './fence.ts'

/** A client that says what it would send. */
const sending = (sent: string[]): Client =>
  ({
    request: async ({ method, allow }: Request) => {
      allow?.()
      sent.push(method)
    },
  }) as unknown as Client

it.each(['POST', 'PATCH', 'PUT', 'DELETE'] as Method[])('%s is sent by the leader only', async (method) => {
  const sent: string[] = []
  let leading = true
  const client = fenced(sending(sent), () => leading)
  await client.request({ method, path: '/' })
  leading = false
  await expect(client.request({ method, path: '/' })).rejects.toThrow("is the leader's to send")
  expect(sent).toEqual([method])
})

it('reading is for everybody', async () => {
  const sent: string[] = []
  await fenced(sending(sent), () => false).request({ method: 'GET', path: '/' })
  expect(sent).toEqual(['GET'])
})
