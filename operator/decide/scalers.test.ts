import { describe, expect, it } from 'vitest'
import { DEFAULTS } from '#contract/pipeline.ts'
import type { KubeObject } from '#kit/client.ts'
import type { Pipeline } from './pipeline.ts'
import { elsewhereOf, pipelineOfTarget, type ScalersSeen, targetsOf, trimmedAutoscaler } from './scalers.ts'

type Provider = 'Native' | 'KEDA' | 'None'
const pipeline = (provider: Provider, more: { replicas?: number; before?: boolean } = {}): Pipeline => ({
  apiVersion: 'xrayiot.dev/v1alpha1',
  kind: 'XRayPipeline',
  metadata: { name: 'leipzig', namespace: 'xray', uid: 'u1' },
  spec: {
    ...DEFAULTS,
    signals: {
      ...DEFAULTS.signals,
      scaling: { ...DEFAULTS.signals.scaling, provider },
      ...(more.replicas !== undefined && { replicas: more.replicas }),
    },
  },
  ...(more.before === true && { status: { scaling: { inputs: { elsewhere: { reason: 'LeftToKeda' } } } as never } }),
})

const target = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'leipzig-signals' }
const owner = { apiVersion: 'xrayiot.dev/v1alpha1', kind: 'XRayPipeline', name: 'leipzig', uid: 'u1' }

/** A ScaledObject with conditions as `Type=Status: message`. */
const scaledObject = (name: string, uid: string, ours: boolean, ...conditions: string[]): KubeObject => ({
  apiVersion: 'keda.sh/v1alpha1',
  kind: 'ScaledObject',
  metadata: { name, namespace: 'xray', uid, ...(ours && { ownerReferences: [owner] }) },
  spec: { scaleTargetRef: { name: target.name } },
  status: {
    conditions: conditions.map((text) => {
      const [, type, status, message] = /^(\w+)=(\w+)(?:: (.*))?$/.exec(text) ?? []
      return { type, status, message }
    }),
  },
})
const autoscaler = (name: string, behind?: { name: string; uid: string }): KubeObject => ({
  apiVersion: 'autoscaling/v2',
  kind: 'HorizontalPodAutoscaler',
  metadata: {
    name,
    namespace: 'xray',
    ...(behind && { ownerReferences: [{ apiVersion: 'keda.sh/v1alpha1', kind: 'ScaledObject', ...behind }] }),
  },
  spec: { scaleTargetRef: target },
})
const seen = (more: Partial<ScalersSeen> = {}): ScalersSeen => ({
  autoscalers: [],
  scaledObjects: [],
  listed: true,
  ...more,
})
const own = (...conditions: string[]) => scaledObject('leipzig', 's1', true, ...conditions)
const ownHpa = autoscaler('keda-hpa-leipzig', { name: 'leipzig', uid: 's1' })
const theirs = scaledObject('other', 's2', false)

describe('what keeps the operator from deciding', () => {
  it.each<[string, Pipeline, Partial<ScalersSeen>, string | undefined]>([
    ['is nothing, when nothing else scales', pipeline('Native'), {}, undefined],
    ['is nothing in a cluster without KEDA', pipeline('Native'), { scaledObjects: undefined }, undefined],
    ['is not a list that has not come yet', pipeline('Native'), { listed: false }, undefined],
    ['is what the status shows until then', pipeline('KEDA', { before: true }), { listed: false }, 'LeftToKeda'],
    ['and for another provider, too', pipeline('Native', { before: true }), { listed: false }, 'LeftToKeda'],
    ['is that KEDA is not there', pipeline('KEDA'), { scaledObjects: undefined }, 'KedaMissing'],
    ['is a ScaledObject that is to be made', pipeline('KEDA'), {}, 'KedaPending'],
    ['is one that KEDA has not seen', pipeline('KEDA'), { scaledObjects: [own()] }, 'KedaPending'],
    ['is one that KEDA begins with', pipeline('KEDA'), { scaledObjects: [own('Ready=Unknown')] }, 'KedaPending'],
    ['is one that KEDA refuses', pipeline('KEDA'), { scaledObjects: [own('Ready=False: no')] }, 'KedaNotReady'],
    ['is one that KEDA works with', pipeline('KEDA'), { scaledObjects: [own('Ready=True')] }, 'LeftToKeda'],
    ['is its fallback', pipeline('KEDA'), { scaledObjects: [own('Ready=True', 'Fallback=True: x')] }, 'Fallback'],
    ['is its pause', pipeline('KEDA'), { scaledObjects: [own('Ready=True', 'Paused=True')] }, 'Paused'],
    [
      'is not its own HPA',
      pipeline('KEDA'),
      { scaledObjects: [own('Ready=True')], autoscalers: [ownHpa] },
      'LeftToKeda',
    ],
    ['is the ScaledObject that has to go', pipeline('Native'), { scaledObjects: [own('Ready=True')] }, 'KedaLeaving'],
    ['is the HPA that has to go', pipeline('None', { replicas: 2 }), { autoscalers: [ownHpa] }, 'KedaLeaving'],
    [
      'is the HPA of a KEDA that is gone',
      pipeline('Native'),
      { autoscalers: [ownHpa], scaledObjects: undefined },
      'KedaLeaving',
    ],
    ["is another's HPA", pipeline('Native'), { autoscalers: [autoscaler('mine')] }, 'Conflict'],
    [
      "is another's HPA beside KEDA",
      pipeline('KEDA'),
      { scaledObjects: [own('Ready=True')], autoscalers: [ownHpa, autoscaler('mine')] },
      'Conflict',
    ],
    ["is another's ScaledObject", pipeline('Native'), { scaledObjects: [theirs] }, 'Conflict'],
    [
      "is another's ScaledObject that has our name",
      pipeline('KEDA'),
      { scaledObjects: [scaledObject('leipzig', 's9', false)] },
      'Conflict',
    ],
    [
      'is an HPA against the number of the spec',
      pipeline('None', { replicas: 2 }),
      { autoscalers: [autoscaler('mine')] },
      'Conflict',
    ],
    ['is an HPA that the spec leaves it to', pipeline('None'), { autoscalers: [autoscaler('mine')] }, 'ScalingOff'],
  ])('%s', (_, given, more, reason) => expect(elsewhereOf(given, seen(more))?.reason).toBe(reason))

  it.each<[string, Partial<ScalersSeen>, string]>([
    ['an HPA by its name', { autoscalers: [autoscaler('mine')] }, 'the HorizontalPodAutoscaler mine scales'],
    [
      'a ScaledObject once, and not its HPA',
      { scaledObjects: [theirs], autoscalers: [autoscaler('keda-hpa-other', { name: 'other', uid: 's2' })] },
      'the ScaledObject other scales',
    ],
    [
      'a ScaledObject that only its HPA shows',
      { scaledObjects: undefined, autoscalers: [autoscaler('keda-hpa-other', { name: 'other', uid: 's2' })] },
      'the ScaledObject other scales',
    ],
    [
      'all',
      { scaledObjects: [theirs], autoscalers: [autoscaler('mine')] },
      'HorizontalPodAutoscaler mine and ScaledObject other',
    ],
  ])('names %s', (_, more, text) => expect(elsewhereOf(pipeline('Native'), seen(more))?.message).toContain(text))

  it("has KEDA's own words", () => {
    const message = (...conditions: string[]) =>
      elsewhereOf(pipeline('KEDA'), seen({ scaledObjects: [own(...conditions)] }))?.message
    expect(message('Ready=False: no such host')).toContain('no such host')
    expect(message('Ready=True', 'Active=True')).toContain('a trigger is active')
    expect(message('Ready=True', 'Active=False')).toContain('no trigger is active')
    expect(message('Ready=True', 'Active=Unknown')).toBe('the ScaledObject leipzig decides')
  })
})

describe('the target of a scaler', () => {
  it.each<[string, object, string, string[]]>([
    ['an HPA', target, 'HorizontalPodAutoscaler', ['xray/leipzig-signals']],
    ['an HPA of another kind', { ...target, kind: 'StatefulSet' }, 'HorizontalPodAutoscaler', []],
    [
      'a ScaledObject, which need not name the kind',
      { name: 'leipzig-signals' },
      'ScaledObject',
      ['xray/leipzig-signals'],
    ],
  ])('of %s', (_, scaleTargetRef, kind, expected) =>
    expect(
      targetsOf({ apiVersion: 'v1', kind, metadata: { name: 'x', namespace: 'xray' }, spec: { scaleTargetRef } }),
    ).toEqual(expected),
  )
  it('is the key of a pipeline when it ends like its signals Deployment', () => {
    expect(pipelineOfTarget('xray/leipzig-signals')).toEqual(['xray/leipzig'])
    expect(pipelineOfTarget('xray/web')).toEqual([])
  })
  it('is all that is kept of an HPA', () => {
    const live = {
      ...ownHpa,
      metadata: { ...ownHpa.metadata, uid: 'h1', resourceVersion: '7', annotations: { big: 'x' } },
      status: { currentReplicas: 1 },
    }
    expect(trimmedAutoscaler({ ...live, spec: { scaleTargetRef: target, maxReplicas: 9 } })).toEqual({
      ...ownHpa,
      metadata: { ...ownHpa.metadata, uid: 'h1', resourceVersion: '7' },
    })
  })
})
