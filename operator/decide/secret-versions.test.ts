import { describe, expect, it } from 'vitest'
import type { KubeObject } from '#kit/client.ts'
import type { Component } from './pipeline.ts'
import { decideKeys, mountedVersion } from './secret-versions.ts'

const ROLLED = { observedGeneration: 2, replicas: 1, updatedReplicas: 1, readyReplicas: 1 }

const deployment = (
  version: string | undefined,
  status: object = ROLLED,
  replicas = 1,
  secret = 'keys',
): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'x', generation: 2 },
  spec: {
    replicas,
    template: {
      metadata: { annotations: version === undefined ? {} : { 'xrayiot.dev/keys': version } },
      spec: { volumes: [{ name: 'keys', secret: { secretName: secret } }] },
    },
  },
  status,
})
const decide = (
  live: Partial<Record<Component, KubeObject>>,
  change: { secret?: string; version?: string | undefined } = {},
) => {
  const { secret, version } = { secret: 'keys', version: '2', ...change }
  const { signals, producer, api } = decideKeys(secret, version, (component) => live[component])
  return [signals, producer, api].map((mount) => `${mount.secret === 'keys' ? '' : mount.secret}${mount.version}`)
}
const old = deployment('1')
const rolled = deployment('2')

describe('the keys of signals, producer and API', () => {
  it.each([
    ['all have those of now when there is nothing yet', {}, ['2', '2', '2']],
    ['all stay when nothing has changed', { signals: rolled, producer: rolled, api: rolled }, ['2', '2', '2']],
    ['signals goes first', { signals: old, producer: old, api: old }, ['2', '1', '1']],
    [
      'producer waits while a former signals pod is there',
      { signals: deployment('2', { ...ROLLED, replicas: 2 }), producer: old, api: old },
      ['2', '1', '1'],
    ],
    [
      'producer waits until the new signals pod is ready',
      { signals: deployment('2', { ...ROLLED, readyReplicas: 0 }), producer: old, api: old },
      ['2', '1', '1'],
    ],
    [
      'producer waits until the Deployment of signals is looked at',
      { signals: deployment('2', { ...ROLLED, observedGeneration: 1 }), producer: old, api: old },
      ['2', '1', '1'],
    ],
    ['then producer', { signals: rolled, producer: old, api: old }, ['2', '2', '1']],
    ['then the API', { signals: rolled, producer: rolled, api: old }, ['2', '2', '2']],
    [
      'signals without a pod keeps nobody waiting',
      { signals: deployment('2', { observedGeneration: 2 }, 0), producer: old, api: old },
      ['2', '2', '1'],
    ],
    [
      'those of a build that kept no version are taken at once',
      { signals: deployment(undefined), producer: deployment(undefined), api: deployment(undefined) },
      ['2', '2', '2'],
    ],
  ])('%s', (_, live, expected) => expect(decide(live)).toEqual(expected))

  it('stay while the version cannot be told', () =>
    expect(decide({ signals: old, producer: rolled, api: old }, { version: undefined })).toEqual(['1', '2', '1']))
  it('change Secrets in the same order', () =>
    expect(decide({ signals: old, producer: old, api: old }, { secret: 'other', version: '7' })).toEqual([
      'other7',
      '1',
      '1',
    ]))
})

describe('the version of the keys that pods were started with', () => {
  it.each([
    ['is not known of a pipeline without pods', {}, undefined],
    ['is that of any component', { api: old }, '1'],
    ['is the newest while it is rolled out', { signals: rolled, producer: old, api: old }, '2'],
    ['is not that of another Secret', { signals: deployment('3', ROLLED, 1, 'others'), api: old }, '1'],
    ['is not known when it could not be told then', { signals: deployment('') }, undefined],
  ] as [string, Partial<Record<Component, KubeObject>>, string | undefined][])('%s', (_, live, version) =>
    expect(mountedVersion('keys', (component) => live[component])).toBe(version),
  )
})
