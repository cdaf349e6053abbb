import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { must } from '../stand/condition.ts'
import { type ControlPlane, openControlPlane } from './control-plane.ts'
import { uncounted } from './end-state.ts'
import { type Stage, withStage } from './stage.ts'

let plane: ControlPlane
beforeAll(async () => {
  plane = await openControlPlane()
})
afterAll(() => plane?.close())

/** Fields of a spec that are changed together. */
type Step = Record<string, object | string>

/** What is the same by whatever way it came: the hash of a template holds the name of the run's virtual host. */
const settledState = async (stage: Stage): Promise<string[]> => {
  const { objects, broker } = await stage.endState()
  return [...uncounted(objects).filter((leaf) => !leaf.includes('xrayiot.dev/template=')), ...broker]
}

/** Where a pipeline ends that is made by the first step and changed by each other. */
const endOf = (name: string, [first = {}, ...others]: Step[], isPatient: boolean): Promise<string[]> =>
  withStage(plane, name, async (stage) => {
    await stage.start()
    await stage.create(first)
    for (const step of others) {
      if (isPatient) await stage.settled()
      await stage.change(step)
    }
    await stage.settled()
    return settledState(stage)
  })

const IMAGE: Step = { image: 'xrayiot/xrayiot:next' }
const SETTINGS: Step = { store: { retentionDays: 7 } }
/** Longer than the default: the queues of a step that is no more would stay for two minutes. */
const LADDER: Step = { retry: { delaysMs: [500, 2000, 3000, 4000, 5000], maxRetries: 5 } }

const ROWS: [name: string, steps: Step[]][] = [
  ['image, settings and retry queues', [{}, IMAGE, SETTINGS, LADDER]],
  ['retry queues twice', [{ retry: { delaysMs: [700] } }, LADDER, SETTINGS]],
]

describe('a pipeline ends the same,', { timeout: 300_000 }, () => {
  it.each(ROWS)('by whatever way it came there: %s', async (name, steps) => {
    const mark = `way-${name.length}`
    const atOnce = await endOf(`${mark}-once`, [Object.assign({}, ...steps)], true)
    expect(atOnce.length).toBeGreaterThan(200)
    const [oneByOne, inHaste] = await Promise.all([
      endOf(`${mark}-each`, steps, true),
      endOf(`${mark}-haste`, steps, false),
    ])
    expect(oneByOne).toEqual(atOnce)
    expect(inHaste).toEqual(atOnce)
  })

  it('when it was there before and is made again, and when its definition is applied again meanwhile', async () => {
    const [once, again] = await Promise.all([
      endOf('first', [SETTINGS], true),
      withStage(plane, 'again', async (stage) => {
        const operator = await stage.start()
        await stage.create(IMAGE)
        await stage.settled()
        await stage.remove()
        await must('the children to be gone', 90_000, async () =>
          (await stage.objects('deployments')).length === 0 ? true : undefined,
        )
        await stage.create(SETTINGS)
        await plane.applyDefinition()
        await stage.settled()
        expect(operator.running()).toBe(true)
        return settledState(stage)
      }),
    ])
    expect(again).toEqual(once)
  })
})
