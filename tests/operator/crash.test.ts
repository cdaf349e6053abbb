import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Edit } from '../faults/sabotage.ts'
import { must } from '../stand/condition.ts'
import { type Asked, told } from './asked.ts'
import { type ControlPlane, openControlPlane } from './control-plane.ts'
import { CONTROLS } from './controls.ts'
import type { EndState } from './end-state.ts'
import { type Stage, withStage } from './stage.ts'

let plane: ControlPlane
beforeAll(async () => {
  plane = await openControlPlane()
})
afterAll(() => plane?.close())

/** Two dozen plans, each with two operators that start. */
const PLANS_MS = 600_000

type Scenario = {
  name: string
  /** What is there before, undisturbed. */
  before: (stage: Stage) => Promise<void>
  change: (stage: Stage) => Promise<void>
  /** Waits for the end. */
  after: (stage: Stage) => Promise<void>
}

const settled = (stage: Stage) => stage.settled()
const created = async (stage: Stage): Promise<void> => {
  await stage.create({ producer: { replicas: 2 } })
  await stage.settled()
}

const SCENARIOS: Scenario[] = [
  { name: 'creation', before: async () => undefined, change: (stage) => stage.create(), after: settled },
  {
    name: 'image',
    before: created,
    change: (stage) => stage.change({ image: 'xrayiot/xrayiot:next' }),
    after: settled,
  },
  {
    name: 'settings',
    before: created,
    change: (stage) => stage.change({ signals: { prefetch: 500 }, producer: { replicas: 1 } }),
    after: settled,
  },
  {
    name: 'deletion',
    before: created,
    change: async (stage) => stage.remove(),
    after: async (stage) => {
      await must('the children to be gone', 60_000, async () =>
        (await stage.objects('deployments')).length === 0 ? true : undefined,
      )
      await stage.quiet(500)
    },
  },
]

/** The writes at which a run is killed: all up to the first of the status, which comes again whenever a pod is ready. */
const plannedOf = (writes: readonly Asked[]): string[] => {
  const first = writes.findIndex(({ subresource }) => subresource === 'status')
  return (first === -1 ? writes : writes.slice(0, first + 1)).map(told)
}

type Run = { end: EndState; writes: string[]; killed: string | undefined; differences: string[] }

/**
 * Runs a scenario; the operator is killed when its n-th write of the change is done, before it hears of it.
 * @param references two runs without a kill, with whose end it is compared
 */
const run = (
  scenario: Scenario,
  name: string,
  killAt: number,
  edits: readonly Edit[],
  references?: readonly [EndState, EndState],
): Promise<Run> =>
  withStage(plane, name, async (stage) => {
    const { proxy } = stage
    const operator = await stage.start({ edits })
    await operator.leads()
    await scenario.before(stage)
    const past = proxy.writes().length
    let killed: string | undefined
    proxy.inject({
      when: 'applied',
      matches: ({ ordinal }) => killAt > 0 && proxy.writes()[past + killAt - 1]?.ordinal === ordinal,
      act: async ({ asked }) => {
        killed = told(asked)
        await operator.kill()
      },
    })
    const changing = scenario.change(stage)
    if (killAt > 0) {
      await operator.ended
      await stage.restart(edits)
    }
    await changing
    await scenario.after(stage)
    const differences = references === undefined ? [] : await stage.endsLike(references)
    return { end: await stage.endState(), writes: plannedOf(proxy.writes().slice(past)), killed, differences }
  })

/** What differs after each kill, with the write at which it came. */
const runAll = async (scenario: Scenario, kills: readonly number[] | undefined, edits: readonly Edit[] = []) => {
  const mark = `${scenario.name}${edits.length > 0 ? '-control' : ''}`
  const [first, second] = await Promise.all([
    run(scenario, `${mark}-a`, 0, edits),
    run(scenario, `${mark}-b`, 0, edits),
  ])
  const left = kills === undefined ? first.writes.map((_, index) => index + 1) : [...kills]
  const violations: string[] = []
  const worker = async (): Promise<void> => {
    for (let at = left.shift(); at !== undefined; at = left.shift()) {
      const { killed, differences } = await run(scenario, `${mark}-${at}`, at, edits, [first.end, second.end])
      violations.push(...differences.map((what) => `killed at ${killed}: ${what}`))
    }
  }
  // All of them end before a failure of one does: it would close the control plane under the others.
  const workers = await Promise.allSettled([worker(), worker(), worker()])
  for (const outcome of workers) if (outcome.status === 'rejected') throw outcome.reason
  return { writes: first.writes, violations }
}

describe.each(SCENARIOS)('$name: an operator that is killed at any write of it', (scenario) => {
  it('ends where one does that is not', { timeout: PLANS_MS }, async () => {
    const { writes, violations } = await runAll(scenario, undefined)
    console.log(`${scenario.name}: killed at each of ${writes.length} writes: ${writes.join(', ')}`)
    expect(writes.length).toBeGreaterThan(0)
    expect(violations.join('\n')).toBe('')
  })
})

it('control: an operator that names settings anew after each start is caught', { timeout: PLANS_MS }, async () => {
  const [creation] = SCENARIOS
  if (creation === undefined) throw new Error('no scenario')
  const { violations } = await runAll(creation, [8], CONTROLS['settings-named-by-process'].edits)
  expect(violations.join('\n')).toContain('made configmaps')
})
