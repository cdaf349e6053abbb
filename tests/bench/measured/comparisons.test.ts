import { expect, it } from 'vitest'
import { toNodeOptions } from '../../faults/sabotage.ts'
import { COMPARISONS } from './comparisons.ts'
import { editFor, perSecondOf } from './jobs.ts'

const rows = Object.entries(COMPARISONS)

it('each scenario has a picture of its own', () => {
  const names = rows.flatMap(([, { scenarios }]) => scenarios.map(({ name }) => name.replaceAll(/\W+/g, '-')))
  expect(new Set(names).size).toBe(names.length)
})

it.each(rows)('the messages of %s end in four minutes with all pods that an arm may have', (_, comparison) => {
  const { arms, job, scenarios } = comparison
  for (const { scaling } of arms)
    for (const { seconds, rate, burst = 0 } of scenarios) {
      let sent = burst
      for (let second = 0; second < seconds; second++) sent += rate(second)
      const pods = Number(scaling.maxReplicaCount) * perSecondOf(job)
      expect(sent / Math.min(pods, job.sharedPerSecond ?? pods)).toBeLessThan(240)
    }
})

it.each(rows)('the sources are still as the slow job of %s expects them', (_, { job }) =>
  expect(toNodeOptions(editFor(job, 'http://behind/arm'), 0)).toContain('--import='),
)

it('arms that are compared differ in who decides, and share the limits and the clock', () => {
  for (const [, { arms }] of rows)
    for (const key of ['maxReplicaCount', 'pollingInterval', 'cooldownPeriod'])
      expect(new Set(arms.map(({ scaling }) => scaling[key])).size).toBe(1)
})

it('one pod of each arm shows what it does before many meet the limit behind them', () => {
  const { arms, scenarios } = COMPARISONS.limit as (typeof COMPARISONS)[string]
  for (const { scaling } of arms)
    expect(scaling.triggers).toMatchObject([{ metadata: { value: String(2 * Number(scenarios[0]?.burst)) } }])
})
