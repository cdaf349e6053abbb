import { describe, expect, it } from 'vitest'
import { createApplier } from './apply.ts'
import { ApiError, type Client, type KubeObject, type ObjectMeta, type Request } from './client.ts'
import { createExpectations } from './expectations.ts'
import { controllerReference } from './owners.ts'

const SERVICES = { group: '', version: 'v1', plural: 'services', kind: 'Service' }
const ownerOf = (uid: string): KubeObject => ({ apiVersion: 'x/v1', kind: 'Owner', metadata: { name: 'o', uid } })
const ours = controllerReference(ownerOf('ours'))
const intent: KubeObject = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 's', namespace: 'n', ownerReferences: [ours] },
}

/** A server that has an object of this name, or none. */
const serverWith = (there: Partial<ObjectMeta> | undefined) => {
  const asked: string[] = []
  const client = {
    request: async ({ method, accept }: Request) => {
      asked.push(accept?.includes('PartialObjectMetadata') ? `${method} metadata` : method)
      if (method === 'GET' && there === undefined) throw new ApiError(404, 'NotFound', 'services "s" not found')
      return { ...intent, metadata: { ...intent.metadata, ...there, uid: 's1', resourceVersion: '1' } }
    },
  } as unknown as Client
  const expectations = createExpectations(() => 0)
  return { asked, applier: createApplier(client, 'us', expectations, { applied: () => undefined }) }
}

describe('an object of an owner', () => {
  it.each([
    ['that nobody has is made', undefined],
    ['that is its own already is applied', { ownerReferences: [ours] }],
    [
      'that has lost its owner, but was applied by us, is applied',
      { managedFields: [{ manager: 'us', operation: 'Apply' }] },
    ],
  ] as [string, Partial<ObjectMeta> | undefined][])('%s', async (_, there) => {
    const { asked, applier } = serverWith(there && { ownerReferences: [], ...there })
    await applier.apply(SERVICES, intent, undefined)
    expect(asked).toEqual(['GET metadata', 'PATCH'])
  })

  it.each([
    [
      "that is another's",
      { ownerReferences: [controllerReference(ownerOf('theirs'))] },
      'it is controlled by a former Owner o',
    ],
    [
      "that was another's of ours",
      {
        ownerReferences: [{ ...controllerReference(ownerOf('theirs')), name: 'p' }],
        managedFields: [{ manager: 'us', operation: 'Apply' }],
      },
      'it is controlled by Owner p',
    ],
    ['that nobody controls', { managedFields: [{ manager: 'kubectl', operation: 'Apply' }] }, 'it has no controller'],
  ] as [string, Partial<ObjectMeta>, string][])('%s is not touched', async (_, there, message) => {
    const { asked, applier } = serverWith({ ownerReferences: [], ...there })
    await expect(applier.apply(SERVICES, intent, undefined)).rejects.toMatchObject({
      reason: 'NameTaken',
      message: expect.stringContaining(message),
    })
    expect(asked).toEqual(['GET metadata'])
  })

  it('that is in the cache is not asked for', async () => {
    const { asked, applier } = serverWith({ ownerReferences: [ours] })
    const live = await applier.apply(SERVICES, intent, undefined)
    await applier.apply(SERVICES, { ...intent, spec: {} }, live)
    expect(asked).toEqual(['GET metadata', 'PATCH', 'PATCH'])
  })
})
