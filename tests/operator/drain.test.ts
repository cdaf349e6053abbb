import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DELETION_COST } from '../../operator/decide/drain.ts'
import type { Edit } from '../faults/sabotage.ts'
import { must } from '../stand/condition.ts'
import { told as named } from './asked.ts'
import { type ControlPlane, openControlPlane } from './control-plane.ts'
import { CONTROLS } from './controls.ts'
import { type Stage, withStage } from './stage.ts'
import { openVictims, type Victims } from './victims.ts'

let plane: ControlPlane
beforeAll(async () => {
  plane = await openControlPlane()
})
afterAll(() => plane?.close())

const signals = (replicas: number, timeoutSeconds = 300) => ({
  signals: { replicas, scaling: { provider: 'None', pollingInterval: 1, drain: { timeoutSeconds } } },
})

/** A stage with three signals pods that hold messages until the test says otherwise. */
const withVictims = (name: string, edits: readonly Edit[], run: (stage: Stage, victims: Victims) => Promise<void>) =>
  withStage(plane, name, async (stage) => {
    const victims = openVictims(plane.api, stage.namespace)
    try {
      await stage.start({ edits })
      await stage.create(signals(3))
      await stage.settled()
      await run(stage, victims)
    } finally {
      await victims.close()
    }
  })

const replicasOf = async (stage: Stage): Promise<number> => {
  const all = await stage.objects('deployments')
  const one = all.find(({ metadata }) => metadata.name === `${stage.namespace}-signals`)
  return (one?.spec as { replicas: number } | undefined)?.replicas ?? 0
}
const drainOf = async (stage: Stage): Promise<string | undefined> =>
  ((await stage.status()) as { scaling?: { drain?: { message: string } } }).scaling?.drain?.message

const untilTold = (victims: Victims, count: number): Promise<string[]> =>
  must(`${count} pods to be told to go`, 60_000, async () => {
    const names = Object.entries(await victims.told()).flatMap(([name, told]) => (told ? [name] : []))
    return names.length === count ? names : undefined
  })

/** The pods when so many are left, none of them told, and the status says nothing of a drain. */
const isOver = async (stage: Stage, victims: Victims, count: number): Promise<string[] | undefined> => {
  const left = await victims.told()
  const over = Object.keys(left).length === count && !Object.values(left).includes(true)
  return over && (await replicasOf(stage)) === count && (await drainOf(stage)) === undefined
    ? Object.keys(left)
    : undefined
}
const untilOver = (stage: Stage, victims: Victims, count: number): Promise<string[]> =>
  must(`${count} pods to be left and the drain to be over`, 60_000, () => isOver(stage, victims, count))

const untilEvent = (stage: Stage, reason: string): Promise<string> =>
  must(`an event ${reason}`, 60_000, async () => {
    const found = (await stage.objects('events')).find((event) => event.reason === reason)
    return found?.note as string | undefined
  })

describe('pods that are taken away', { timeout: 600_000 }, () => {
  it('are told, stay until they hold nothing, and are then those that go', () =>
    withVictims('drain', [], async (stage, victims) => {
      await stage.change(signals(1))
      const going = await untilTold(victims, 2)
      await must('the status to tell of it', 30_000, async () =>
        (await drainOf(stage)) === 'draining 2 of 3 pods: 0 finished' ? true : undefined,
      )
      await stage.quiet(3_000)
      expect(await replicasOf(stage)).toBe(3)

      victims.finish()
      const left = await untilOver(stage, victims, 1)
      expect(going).not.toContain(left[0])
      expect(victims.lost()).toEqual([])
      expect(await untilEvent(stage, 'Drained')).toBe('signals: 3 -> 1 after 2 of 2 had finished')
      await stage.settled()
    }))

  it('stay after all when more is wanted meanwhile, and no other is started', () =>
    withVictims('drain-back', [], async (stage, victims) => {
      const before = Object.keys(await victims.told())
      await stage.change(signals(1))
      await untilTold(victims, 2)
      await stage.change(signals(2))
      await untilTold(victims, 1)
      await stage.change(signals(3))
      expect((await untilOver(stage, victims, 3)).sort()).toEqual(before.sort())
      expect(await untilEvent(stage, 'DrainCancelled')).toBe('signals: kept 1 pod of those that were to go')
      expect(victims.lost()).toEqual([])
    }))

  it('go all the same when their time is over, and an event says so', () =>
    withVictims('drain-late', [], async (stage, victims) => {
      await stage.change(signals(1, 3))
      const going = await untilTold(victims, 2)
      const left = await untilOver(stage, victims, 1)
      expect(going).not.toContain(left[0])
      expect(await untilEvent(stage, 'DrainTimedOut')).toBe(
        'signals: 3 -> 1 although 2 of 2 had not finished after 3 s',
      )
      await must('both to be seen as lost', 30_000, async () =>
        victims.lost().length >= going.length ? true : undefined,
      )
      expect(victims.lost().sort()).toEqual(going.sort())
    }))

  it('wait while the pipeline is paused, and are not forgotten', () =>
    withVictims('drain-paused', [], async (stage, victims) => {
      await stage.change(signals(1))
      await untilTold(victims, 2)
      await stage.change({ paused: true })
      await stage.condition('Paused', 'True')
      victims.finish()
      await stage.quiet(3_000)
      expect(await replicasOf(stage)).toBe(3)
      await stage.change({ paused: false })
      await untilOver(stage, victims, 1)
      expect(victims.lost()).toEqual([])
    }))
})

/** Takes two of three pods away; the operator is killed when its n-th write of that is done, before it hears of it. */
const killedAt = async (killAt: number, name: string, edits: readonly Edit[] = []) => {
  let killed: string | undefined
  let ended: Promise<void> | undefined
  let writes: string[] = []
  const violations: string[] = []
  await withVictims(name, edits, async (stage, victims) => {
    victims.finish()
    const past = stage.proxy.writes().length
    stage.proxy.inject({
      when: 'applied',
      matches: ({ ordinal }) => stage.proxy.writes()[past + killAt - 1]?.ordinal === ordinal,
      act: async ({ asked }) => {
        killed = named(asked)
        ended = stage.kill()
        await ended
      },
    })
    await stage.change(signals(1))
    if (killAt > 0) {
      // How often the status tells of what goes on differs: the last writes may not be there.
      await must(`the operator to be killed at its write ${killAt}, or to be done`, 60_000, async () =>
        killed !== undefined || (await isOver(stage, victims, 1)) ? true : undefined,
      )
      await ended // the next one may be started
      if (killed !== undefined) await stage.restart(edits)
    }
    await untilOver(stage, victims, 1).catch((error: Error) => violations.push(error.message))
    const priced = (await stage.objects('pods')).filter(({ metadata }) => metadata.annotations?.[DELETION_COST])
    violations.push(...priced.map(() => 'a pod that stays has a deletion cost'))
    violations.push(...victims.lost().map(() => 'a pod went that held messages'))
    writes = stage.proxy.writes().slice(past).map(named)
  })
  return { killed, writes, violations: violations.map((what) => `killed at ${killed}: ${what}`) }
}

describe('an operator that is killed while it takes pods away', { timeout: 600_000 }, () => {
  it('leaves the next one to go on, at whatever write it ended', async () => {
    const { writes, violations } = await killedAt(0, 'drain-kill-0')
    console.log(`taking pods away is ${writes.length} writes: ${writes.join(', ')}`)
    // Those behind the Deployment's are of the status alone, and are not always as many.
    const last = writes.lastIndexOf(`patch deployments/drain-kill-0-signals`) + 1
    const left = writes.slice(0, last + 1).map((_, index) => index + 1)
    const kills = new Set<string>()
    const worker = async (): Promise<void> => {
      for (let at = left.shift(); at !== undefined; at = left.shift()) {
        const run = await killedAt(at, `drain-kill-${at}`)
        violations.push(...run.violations)
        if (run.killed !== undefined) kills.add(run.killed.replace(/\/.*/, ''))
      }
    }
    const workers = await Promise.allSettled([worker(), worker(), worker()])
    for (const outcome of workers) if (outcome.status === 'rejected') throw outcome.reason
    expect(violations.join('\n')).toBe('')
    expect([...kills].sort()).toEqual(['patch deployments', 'patch pods', 'patch xraypipelines'])
  })
})

it('control: an operator that lowers the number before anybody has finished is caught', { timeout: 600_000 }, () =>
  withVictims('drain-hasty', CONTROLS['drain-waits-for-nobody'].edits, async (stage, victims) => {
    await stage.change(signals(1))
    await must('two pods to be lost', 90_000, async () => (victims.lost().length === 2 ? true : undefined))
  }),
)
