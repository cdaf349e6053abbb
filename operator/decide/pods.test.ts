import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Pod, problemAmong } from './pods.ts'

type Status = NonNullable<NonNullable<Pod['status']>['containerStatuses']>[number]

const pod = (status: Partial<Status> = {}, change: { name?: string; deleting?: boolean } = {}): Pod => ({
  metadata: {
    name: change.name ?? 'leipzig-api-5d4f-x2x4z',
    ...(change.deleting && { deletionTimestamp: '2026-01-01T00:00:00Z' }),
  },
  spec: { containers: [{ name: 'api', image: 'xrayiot:9', resources: { limits: { memory: '256Mi' } } }] },
  status: { containerStatuses: [{ name: 'api', ready: false, restartCount: 0, ...status }] },
})
const waiting = (reason: string, message?: string): Partial<Status> => ({
  state: { waiting: { reason, ...(message !== undefined && { message }) } },
})
const unschedulable: Pod = {
  ...pod(),
  status: {
    conditions: [
      {
        type: 'PodScheduled',
        status: 'False',
        reason: 'Unschedulable',
        message:
          '0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes are available.',
      },
    ],
  },
}

describe('why pods do not come up', () => {
  it.each([
    ['they only take their time', pod(waiting('ContainerCreating')), undefined],
    ['they run and are not ready yet', pod({ state: { running: {} } }), undefined],
    ['they are ready', pod({ ready: true, restartCount: 3, lastState: { terminated: { exitCode: 1 } } }), undefined],
    ['they are going anyway', pod(waiting('ImagePullBackOff'), { deleting: true }), undefined],
    [
      'an image is not there',
      pod(waiting('ErrImagePull', 'x: not found')),
      'ImagePullBackOff the image "xrayiot:9" cannot be pulled: the registry does not have it',
    ],
    [
      'a registry is away',
      pod(waiting('ImagePullBackOff', 'Back-off pulling image: dial tcp 127.0.0.1:443: connect: connection refused')),
      'ImagePullBackOff the image "xrayiot:9" cannot be pulled: the registry does not answer',
    ],
    [
      'a registry refuses',
      pod(waiting('ImagePullBackOff', 'pull access denied')),
      'ImagePullBackOff the image "xrayiot:9" cannot be pulled: the registry refuses, see podTemplate.imagePullSecrets',
    ],
    [
      'an image is not on the node',
      pod(waiting('ErrImageNeverPull', 'x')),
      'ErrImageNeverPull the image "xrayiot:9" is not on the node and may not be pulled',
    ],
    [
      'an image has no name',
      pod(waiting('InvalidImageName', 'x')),
      'InvalidImageName "xrayiot:9" is no name of an image',
    ],
    [
      'a Secret has no such key',
      pod(waiting('CreateContainerConfigError', "couldn't find key uri in Secret xray/x")),
      "CreateContainerConfigError couldn't find key uri in Secret xray/x",
    ],
    [
      'a process has ended',
      pod({ state: { terminated: { exitCode: 3, reason: 'Error' } } }),
      'CrashLoopBackOff the process ends with code 3',
    ],
    [
      'a process ends again and again',
      pod({ ...waiting('CrashLoopBackOff'), restartCount: 4, lastState: { terminated: { exitCode: 1 } } }),
      'CrashLoopBackOff the process ends with code 1',
    ],
    [
      'a process has been started again',
      pod({ state: { running: {} }, restartCount: 1, lastState: { terminated: { exitCode: 1 } } }),
      'CrashLoopBackOff the process ends with code 1',
    ],
    [
      'memory is short',
      pod({ ...waiting('CrashLoopBackOff'), lastState: { terminated: { reason: 'OOMKilled', exitCode: 137 } } }),
      'OOMKilled the process needs more memory than its limit of 256Mi: raise resources.limits.memory',
    ],
    [
      'no node has room',
      unschedulable,
      'Unschedulable no node takes the pod: 0/1 nodes are available: 1 Insufficient cpu',
    ],
  ] as [string, Pod, string | undefined][])('%s', (_, seen, expected) => {
    const problem = problemAmong([seen])
    expect(problem && `${problem.reason} ${problem.message}`).toBe(expected)
  })

  it('the log of a process that has been started again is that of its former run', () => {
    const again = pod({ state: { running: {} }, restartCount: 1, lastState: { terminated: { exitCode: 1 } } })
    const ended = pod({ state: { terminated: { exitCode: 1 } } })
    expect([again, ended].map((seen) => problemAmong([seen])?.crash?.previous)).toEqual([true, false])
  })

  it('is the same in whatever order the pods come', () =>
    fc.assert(
      fc.property(fc.infiniteStream(fc.nat(1000)), (ranks) => {
        const pods = [
          pod(waiting('ImagePullBackOff')),
          unschedulable,
          pod({ state: { terminated: { exitCode: 1 } } }, { name: 'a' }),
          pod({ state: { terminated: { exitCode: 1 } } }, { name: 'b' }),
        ]
        const shuffled = pods
          .map((seen) => ({ seen, rank: ranks.next().value ?? 0 }))
          .sort((one, other) => one.rank - other.rank)
          .map(({ seen }) => seen)
        expect(problemAmong(shuffled)).toEqual(problemAmong(pods))
        expect(problemAmong(shuffled.filter(({ metadata }) => metadata.name.length === 1))?.crash?.pod).toBe('a')
      }),
    ))
})
