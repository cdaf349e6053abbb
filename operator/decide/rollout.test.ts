import { describe, expect, it } from 'vitest'
import type { KubeObject } from '#kit/client.ts'
import { rolloutOf, templateOf } from './rollout.ts'

const deployment = (status: object, generation = 2): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'x', generation },
  spec: { template: { spec: { containers: [{ image: 'x:2' }] } } },
  status: { observedGeneration: 2, ...status },
})
const condition = (type: string, status: string, message: string) => ({ conditions: [{ type, status, message }] })

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
  ])('%s', (_, live, ready, progressing) => expect(rolloutOf(live, 1)).toMatchObject({ ready, progressing }))
})

describe('the image of a component', () => {
  const before = { desired: 1, ready: 1, image: 'x:1' }
  it.each([
    ['is the former while its pods are there', deployment({ replicas: 2, updatedReplicas: 1 }), 'x:1'],
    ['is the former until the Deployment has seen its spec', deployment({ replicas: 1, updatedReplicas: 1 }, 3), 'x:1'],
    ['is the new one when no former pod is left', deployment({ replicas: 1, updatedReplicas: 1 }), 'x:2'],
  ])('%s', (_, live, image) => expect(rolloutOf(live, 1, before).image).toBe(image))
})

describe('a roll-out that has stopped', () => {
  const stopped = { replicas: 2, updatedReplicas: 1, readyReplicas: 1 }
  const refused = (message: string) => deployment({ ...stopped, ...condition('ReplicaFailure', 'True', message) })
  it.each([
    [
      'its deadline is over',
      deployment({ ...stopped, ...condition('Progressing', 'False', 'x') }),
      'ProgressDeadlineExceeded its pods do not become ready in time',
    ],
    [
      'a quota, without the name of the pod and what is used just now',
      refused('pods "x-5d4-abc" is forbidden: exceeded quota: q, requested: pods=1, used: pods=3, limited: pods=3'),
      'QuotaExceeded its pods are refused: exceeded quota: q, requested: pods=1, limited: pods=3',
    ],
    [
      'the pod security of the namespace',
      refused('pods "x-abc" is forbidden: violates PodSecurity "restricted:latest": y'),
      'PodSecurityViolated its pods are refused: violates PodSecurity "restricted:latest": y',
    ],
    [
      'a LimitRange',
      refused('pods "x-abc" is forbidden: maximum memory usage per Container is 64Mi, but limit is 256Mi'),
      'LimitRangeViolated its pods are refused: maximum memory usage per Container is 64Mi, but limit is 256Mi',
    ],
    ['something else', refused('pods "x-abc" is forbidden: no'), 'PodsRefused its pods are refused: no'],
    [
      'nothing, when all is ready',
      deployment({ replicas: 1, updatedReplicas: 1, readyReplicas: 1, ...condition('ReplicaFailure', 'True', 'x') }),
      undefined,
    ],
    ['nothing of a former spec', { ...refused('x'), metadata: { name: 'x', generation: 3 } }, undefined],
  ] as [string, KubeObject, string | undefined][])('says why: %s', (_, live, expected) => {
    const { problem } = rolloutOf(live, 1)
    expect(problem && `${problem.reason} ${problem.message}`).toBe(expected)
  })

  const live = deployment(stopped)
  const pods = { reason: 'ImagePullBackOff', message: 'x', template: templateOf(live) }
  it('says what was found among its pods, and leaves the former ones serving', () =>
    expect(rolloutOf(live, 1, undefined, pods)).toMatchObject({ problem: { reason: 'ImagePullBackOff' }, serving: 1 }))
  it('says nothing of pods of another template: the spec has been put right', () =>
    expect(rolloutOf(live, 1, undefined, { ...pods, template: 'other' }).problem).toBeUndefined())
  it('says nothing when no pod is wanted', () => expect(rolloutOf(live, 0, undefined, pods).problem).toBeUndefined())
})
