import { expect, it } from 'vitest'
import { handleForged, UNWATCHED } from '../../tests/stand/forged-batch.ts'

/** Handles one message that nobody signed. Returns where its copy went, and how often it was acknowledged after that. */
const handle = async (headers: Record<string, unknown>) => {
  const { published, settled } = await handleForged({ m: headers }, UNWATCHED, 7)
  return { acked: settled.length, published }
}

it('a message that fails goes to the dead-letter exchange', async () =>
  expect(await handle({})).toMatchObject({
    acked: 1,
    published: [{ exchange: 'x.dlx', routingKey: 'dead.auth_bad_signature' }],
  }))

it('a replay that fails again is parked, with what it failed of', async () =>
  expect(await handle({ 'x-replay-count': 1, 'x-replay-of': 'ab' })).toMatchObject({
    acked: 1,
    published: [
      {
        exchange: '',
        routingKey: 'x.dlx.parked',
        properties: { headers: { 'x-replay-count': 1, 'x-replay-of': 'ab', 'x-dlq-reason': 'auth_bad_signature' } },
      },
    ],
  }))

it('a message whose headers leave no room for ours goes to the dead letters without its own', async () => {
  const published = await handle({ 'x-filler': 'unpublishable' })
  expect(published).toMatchObject({ acked: 1, published: [{}, { exchange: 'x.dlx' }] })
  expect(published.published[1]?.properties.headers).toEqual({
    'x-dlq-reason': 'auth_bad_signature',
    'x-dlq-detail': expect.any(String),
    'x-first-failed-at': 7,
  })
})

it.each(['CC', 'BCC', 'x-death'])('a copy carries no %s, by which the broker would act on it', async (name) => {
  const { published } = await handle({ [name]: ['x.raw.q'] })
  expect(Object.keys(published[0]?.properties.headers ?? {})).not.toContain(name)
})
