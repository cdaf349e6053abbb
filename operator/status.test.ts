import { describe, expect, it } from 'vitest'
import type { KubeObject } from '#kit/client.ts'
import { componentOf, isSameStatus } from './status.ts'

const deployment = (status: object, generation = 2): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'x', generation },
  status: { observedGeneration: 2, ...status },
})

describe('the ready pods of a component', () => {
  it.each([
    ['none before the Deployment exists', undefined, 0, true],
    [
      'none while the Deployment has not seen its spec',
      deployment({ replicas: 1, updatedReplicas: 1, readyReplicas: 1 }, 3),
      0,
      true,
    ],
    [
      'none while only the former pod is ready',
      deployment({ replicas: 2, updatedReplicas: 1, readyReplicas: 1 }),
      0,
      true,
    ],
    [
      'the new one, even while the former still ends',
      deployment({ replicas: 2, updatedReplicas: 1, readyReplicas: 2 }),
      1,
      true,
    ],
    ['all when only new ones are left', deployment({ replicas: 1, updatedReplicas: 1, readyReplicas: 1 }), 1, false],
  ])('%s', (_, live, ready, progressing) => expect(componentOf(live, 1, 'x:1')).toMatchObject({ ready, progressing }))

  it('a roll-out that has stopped says why, without names that change', () => {
    const stopped = deployment({
      conditions: [
        {
          type: 'Progressing',
          status: 'False',
          reason: 'ProgressDeadlineExceeded',
          message: 'ReplicaSet "x-5d4" has timed out progressing.',
        },
      ],
    })
    expect(componentOf(stopped, 1, 'x:1').failure).toBe('ReplicaSet of the new pods has timed out progressing.')
  })
})

it('a status is the same whatever the order of its fields', () => {
  const status = {
    observedGeneration: 1,
    conditions: [],
    reason: 'x',
    signals: '0/0',
    replicas: 0,
    selector: '',
    components: {
      producer: { desired: 1, ready: 1, image: 'a' },
      signals: { desired: 0, ready: 0, image: 'a' },
      api: { desired: 1, ready: 1, image: 'a' },
    },
  }
  expect(isSameStatus(Object.fromEntries(Object.entries(status).reverse()), status)).toBe(true)
  expect(isSameStatus({ ...status, replicas: 1 }, status)).toBe(false)
})
