import { describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { SCALING_DEFAULTS } from '#contract/scaling/block.ts'
import { decideScaling } from '#contract/scaling/decision.ts'
import { freshMemory } from '#contract/scaling/memory.ts'
import { pausesOf } from '#contract/scaling/pauses.ts'
import { scalingStatusOf } from '#contract/scaling/status.ts'
import { readShown, toExplanation } from './scale-explain.ts'

const NOW = 1_700_000_000_000
const scaling = { ...SCALING_DEFAULTS, maxReplicaCount: 9 }
const decision = decideScaling(
  {
    samples: [{ atMs: NOW, ready: 5400, unacked: 0, published: 5400, acked: 0 }],
    replicas: { current: 3, ready: 3 },
    metrics: {},
    pauses: pausesOf(),
    fixed: undefined,
    concurrency: 10,
  },
  scaling,
  freshMemory(NOW, { serviceRate: { value: 5, source: 'Measured', samples: 8 }, startupSeconds: 4 }),
  NOW,
)
const status = scalingStatusOf(decision, undefined, NOW)
const pipeline = { spec: { signals: { scaling } }, status: { scaling: status } }

describe('what is read', () => {
  it.each([
    ['a pipeline', pipeline, false],
    ['its status', pipeline.status, true],
    ['the decision alone', status, true],
  ])('may be %s', (_, pasted, assumed) =>
    expect(readShown(stringify(pasted), 'x.yaml')).toMatchObject({ status: { replicas: { desired: 9 } }, assumed }),
  )
  it.each([
    ['nothing', ''],
    ['no YAML', 'a: [1'],
    ['a pipeline that has not been decided on', 'spec: {}\nstatus: { scaling: { reason: Steady, message: x } }'],
  ])('is refused when it is %s', (_, text) => expect(() => readShown(text, 'x.yaml')).toThrow(/^x\.yaml (is|holds) no/))
})

describe('the explanation', () => {
  const { text, same } = toExplanation(readShown(stringify(pipeline), 'x.yaml'))
  it('shows each step from what was known to the number', () => {
    expect(text).toContain('3 -> 9: 5,400 waiting / (5/s x 60 s)')
    expect(text).toMatch(/serviceRate +5\/s, Remembered, 8 samples/)
    expect(text).toMatch(/asked for +18\n {2}Maximum +18 -> 9\n/)
    expect(text).toMatch(/3 +9 +BacklogAndRate/)
  })
  it('shows why a trigger cannot be read, and what else decides', () => {
    const told = {
      problems: [{ name: 'lag', reason: 'NoValue' as const, message: 'none' }],
      elsewhere: { reason: 'Conflict' as const, message: 'an HPA' },
    }
    const shown = { ...pipeline, status: { scaling: { ...status, inputs: { ...status.inputs, ...told } } } }
    const explained = toExplanation(readShown(stringify(shown), 'x.yaml')).text
    expect(explained).toMatch(/lag +NoValue: none/)
    expect(explained).toMatch(/elsewhere +Conflict: an HPA/)
  })
  it('makes the decision again', () => {
    expect(same).toBe(true)
    expect(text).toMatch(/Made again by spec\.signals\.scaling: 9, BacklogAndRate, the same\.$/)
  })
  it('tells when it comes out otherwise', () => {
    const other = { ...pipeline, spec: { signals: { scaling: { ...scaling, maxReplicaCount: 5 } } } }
    const explained = toExplanation(readShown(stringify(other), 'x.yaml'))
    expect(explained.same).toBe(false)
    expect(explained.text).toContain('Made again by spec.signals.scaling: 5, BacklogAndRate, another one')
  })
})
