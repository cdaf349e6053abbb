import { describe, expect, it } from 'vitest'
import { DEFAULTS } from '#contract/pipeline.ts'
import type { Pipeline } from './pipeline.ts'
import { planScaling, type Sample } from './scaling.ts'

const NOW = 10_000_000
const pipeline = (more: Partial<Pipeline> = {}): Pipeline => ({
  apiVersion: 'xrayiot.dev/v1alpha1',
  kind: 'XRayPipeline',
  metadata: { name: 'leipzig', namespace: 'xray' },
  spec: DEFAULTS,
  ...more,
})
const samples: Sample[] = [{ atMs: NOW, ready: 100, unacked: 0, published: 100, acked: 0 }]
const plan = (given: Pipeline, current: number, seen: Sample[] = samples) =>
  planScaling(given, { samples: seen, replicas: { current, ready: current }, metrics: {} }, undefined, NOW)

describe('the plan for the signals pods of a pipeline', () => {
  it('follows the queue', () => expect(plan(pipeline(), 0)).toMatchObject({ replicas: 5, reason: 'BacklogAndRate' }))
  it('obeys the annotations', () => {
    const metadata = { name: 'leipzig', annotations: { 'xrayiot.dev/paused-replicas': '2' } }
    expect(plan(pipeline({ metadata }), 0)).toMatchObject({ replicas: 2, reason: 'Paused' })
  })
  it('goes on with what the status of a former operator shows', () => {
    const { status } = plan(pipeline(), 3)
    const inputs = { ...status.inputs, serviceRate: { value: 10, source: 'Measured' as const, samples: 9 } }
    const { status: next } = plan(pipeline({ status: { scaling: { ...status, inputs } } }), 3)
    expect(next.inputs.serviceRate).toEqual({ value: 10, source: 'Remembered', samples: 9 })
  })
  it('leaves no more to stand than its queue has room for', () => {
    const slo = { targetDrainSeconds: 60, targetUtilization: 1 }
    const scaling = { ...DEFAULTS.signals.scaling, slo }
    const spec = {
      ...DEFAULTS,
      broker: { ...DEFAULTS.broker, maxLengthBytes: '256Mi' },
      signals: { ...DEFAULTS.signals, scaling },
    }
    expect(plan(pipeline({ spec }), 0).status.inputs.room).toBe(1028)
    expect(plan(pipeline(), 0).status.inputs).not.toHaveProperty('room')
  })
  it('hands on the status that is written already when there is no news', () => {
    const { status } = plan(pipeline(), 3)
    expect(plan(pipeline({ status: { scaling: status } }), 3).status).toBe(status)
  })
  it('takes out of the status what is not known any more, also by a merge patch', () => {
    const { status } = plan(pipeline(), 3)
    const { status: next } = plan(pipeline({ status: { scaling: status } }), 3, [])
    expect(next).toMatchObject({ reason: 'BacklogUnknown', terms: null, inputs: { ready: null, unacked: null } })
  })
})
