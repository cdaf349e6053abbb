import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { closeServer, listen } from '#runtime/probe.ts'
import { openRelay } from './relay.ts'

it('what the relay is asked is answered by the target, and not while it is silent', async () => {
  const target = createServer((request, response) => response.end(`${request.method} ${request.url}`))
  await listen(target, 0)
  onTestFinished(() => closeServer(target))
  const relay = await openRelay(`http://127.0.0.1:${(target.address() as AddressInfo).port}`)
  onTestFinished(relay.close)
  const ask = (agent: string): Promise<string> =>
    fetch(`http://127.0.0.1:${new URL(relay.address).port}/api/queues/%2F`, { headers: { 'user-agent': agent } }).then(
      (answer) => answer.text(),
    )

  expect(await ask('undici')).toBe('GET /api/queues/%2F')
  relay.fallSilent()
  const unanswered = ask('Go-http-client/1.1').then(
    () => 'answered',
    () => 'lost',
  )
  await expect.poll(relay.requests).toEqual({ operator: 1, keda: 1 })
  relay.speak()
  expect(await unanswered).toBe('lost')
  expect(await ask('KEDA/2.20.2')).toBe('GET /api/queues/%2F')
  expect(relay.requests()).toEqual({ operator: 1, keda: 2 })
})
