import { describe, expect, it } from 'vitest'
import { DEFAULTS } from '#contract/pipeline.ts'
import { SCALING_DEFAULTS, type Scaling } from '#contract/scaling/block.ts'
import type { Pipeline } from './pipeline.ts'
import { scaledObjectOf, unsupportedByKeda } from './scaled-object.ts'

const made = (scaling: Partial<Scaling> = {}, annotations: Record<string, string> = {}) => {
  const signals = { ...DEFAULTS.signals, scaling: { ...SCALING_DEFAULTS, provider: 'KEDA' as const, ...scaling } }
  const pipeline: Pipeline = {
    apiVersion: 'xrayiot.dev/v1alpha1',
    kind: 'XRayPipeline',
    metadata: { name: 'leipzig', namespace: 'xray', annotations },
    spec: { ...DEFAULTS, signals },
  }
  const { triggerAuthentication: credentials, scaledObject: made } = scaledObjectOf(pipeline, 'http://rabbitmq:15672')
  const [scaledObject] = made
  return {
    authentication: credentials[0]?.spec,
    credentials,
    annotations: scaledObject?.metadata.annotations,
    spec: scaledObject?.spec as Record<string, unknown>,
  }
}

describe('the ScaledObject of a pipeline', () => {
  it.each<[string, Partial<Scaling>, object]>([
    ['scales the signals pods', {}, { scaleTargetRef: { kind: 'Deployment', name: 'leipzig-signals' } }],
    [
      'has the numbers of the block',
      { minReplicaCount: 2 },
      { minReplicaCount: 2, maxReplicaCount: 20, cooldownPeriod: 300 },
    ],
    ['idles at none', { minReplicaCount: 2, idleReplicaCount: 0 }, { idleReplicaCount: 0 }],
    [
      'has the fallback of the block',
      { fallback: { failureThreshold: 3, replicas: 2, behavior: 'static' } },
      { fallback: { failureThreshold: 3, replicas: 2, behavior: 'static' } },
    ],
    [
      'asks the management API for the queue of the pipeline, with the credentials of its Secret',
      {},
      {
        triggers: [
          {
            type: 'rabbitmq',
            metadata: {
              protocol: 'http',
              host: 'http://rabbitmq:15672',
              vhostName: '/',
              queueName: 'xray.raw.q',
              mode: 'QueueLength',
              value: '20',
              activationValue: '0',
            },
            authenticationRef: { name: 'leipzig' },
          },
        ],
      },
    ],
    [
      'takes no missing value of Prometheus for 0',
      {
        triggers: [
          { type: 'prometheus', name: 'lag', metadata: { serverAddress: 'http://p', query: 'x', threshold: '5' } },
        ],
      },
      {
        triggers: [
          { type: 'prometheus', name: 'lag', metadata: { query: 'x', threshold: '5', ignoreNullValues: 'false' } },
        ],
      },
    ],
    [
      'has the behavior of the block, and where that sets no limit none of an HPA',
      {},
      {
        advanced: {
          horizontalPodAutoscalerConfig: {
            behavior: {
              scaleUp: { policies: [{ type: 'Pods', value: 20, periodSeconds: 15 }], tolerance: '100m' },
              scaleDown: {
                stabilizationWindowSeconds: 120,
                policies: [{ type: 'Percent', value: 50, periodSeconds: 30 }],
              },
            },
          },
        },
      },
    ],
  ])('%s', (_, scaling, expected) => expect(made(scaling).spec).toMatchObject(expected))

  it('leaves out to idle at more than none: an HPA cannot', () =>
    expect(made({ minReplicaCount: 2, idleReplicaCount: 1 }).spec).not.toHaveProperty('idleReplicaCount'))
  it.each<[string, Record<string, string>, Record<string, string>]>([
    ['nothing, of a pipeline without', { team: 'x-ray' }, {}],
    ['a pause', { 'xrayiot.dev/paused': 'true' }, { 'autoscaling.keda.sh/paused': 'true' }],
    [
      'a pause at a number',
      { 'autoscaling.keda.sh/paused-replicas': '3' },
      { 'autoscaling.keda.sh/paused-replicas': '3' },
    ],
    [
      'what holds back one way, and what forces',
      { 'xrayiot.dev/paused-scale-in': 'true', 'xrayiot.dev/force-activation': 'true' },
      { 'autoscaling.keda.sh/paused-scale-in': 'true', 'autoscaling.keda.sh/force-activation': 'true' },
    ],
  ])('hands on of the annotations that pause %s', (_, given, expected) =>
    expect(made({}, given).annotations).toEqual(expected),
  )
  it.each([
    [0.1, '100m'],
    [0, '0'],
    [1, '1'],
    [0.125, '125m'],
  ])('writes a tolerance of %d as Kubernetes does: %s', (tolerance, text) => {
    const behavior = { ...SCALING_DEFAULTS.behavior, scaleUp: { ...SCALING_DEFAULTS.behavior.scaleUp, tolerance } }
    expect(made({ behavior }).spec).toMatchObject({
      advanced: { horizontalPodAutoscalerConfig: { behavior: { scaleUp: { tolerance: text } } } },
    })
  })
  it.each([
    ['a token', 'bearer' as const, ['bearerToken', 'ca']],
    ['a password', 'basic' as const, ['username', 'password', 'ca']],
    ['an authority alone', undefined, ['ca']],
  ])('has credentials of its own for a prometheus trigger with %s', (_, authModes, keys) => {
    const { credentials, spec } = made({
      triggers: [
        {
          type: 'prometheus',
          metadata: { serverAddress: 'https://p', query: 'x', threshold: '5', ...(authModes && { authModes }) },
          authenticationRef: { kind: 'Secret', name: 'prom' },
        },
      ],
    })
    expect(spec).toMatchObject({ triggers: [{ authenticationRef: { name: 'leipzig-trigger-0' } }] })
    expect(credentials[1]).toMatchObject({
      metadata: { name: 'leipzig-trigger-0' },
      spec: { secretTargetRef: keys.map((key) => ({ parameter: key, name: 'prom', key })) },
    })
  })
  it('reads user and password from the Secret of the broker', () =>
    expect(made().authentication).toEqual({
      secretTargetRef: [
        { parameter: 'username', name: 'xray-rabbitmq', key: 'username' },
        { parameter: 'password', name: 'xray-rabbitmq', key: 'password' },
      ],
    }))
})

it.each<[string, Partial<Scaling>, string[]]>([
  ['by default', {}, ['slo', 'drain']],
  ['of a pod that just ends', { drain: { strategy: 'Sigterm', timeoutSeconds: 30 } }, ['slo']],
  ['of a dry run', { dryRun: true }, ['slo', 'dryRun', 'drain']],
  ['of more than none at idle', { minReplicaCount: 2, idleReplicaCount: 1 }, ['slo', 'idleReplicaCount', 'drain']],
  [
    'of a rate',
    { triggers: [{ type: 'rabbitmq', metadata: { mode: 'MessageRate', value: '5' } }] },
    ['slo', 'drain', 'triggers'],
  ],
])('what KEDA cannot do is named: %s', (_, scaling, fields) =>
  expect(unsupportedByKeda({ ...SCALING_DEFAULTS, ...scaling }).map((text) => text.split(':')[0])).toEqual(fields),
)
