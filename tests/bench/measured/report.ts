import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { printTable } from '../table.ts'
import { COMPARISONS } from './comparisons.ts'
import type { ControlPlane } from './control-planes.ts'
import { Interrupted } from './interruption.ts'
import { measure, type Recorded } from './measure.ts'
import type { Measured } from './measured.ts'
import { pictureOf } from './picture.ts'

const HEAD = ['p50', 'p95', 'p99', '1 ready', '10', '20', 'pod-s', 'writes', 'flips', 'taken', 'redelivered', 'left']
const CONTROL_PLANE_HEAD = ['CPU', 'RSS', 'asked the broker', 'asked the API server']

const seconds = (value: number | undefined): string => (value === undefined ? '-' : `${value.toFixed(1)} s`)
const count = (value: number | undefined): string => value?.toLocaleString('en-US') ?? '-'

const rowOf = (name: string, one: Measured): string[] => [
  name,
  ...[one.p50, one.p95, one.p99, one.firstReady, one.tenReady, one.twentyReady].map(seconds),
  ...[one.podSeconds, one.writes, one.flips, one.takenAway, one.redelivered, one.left].map(count),
]

const controlPlaneRow = (name: string, one: ControlPlane): string[] => [
  name,
  seconds(one.cpuSeconds),
  `${one.rssMegabytes} MB`,
  ...[one.brokerRequests, one.apiRequests].map(count),
]

const tell = (pictures: string | undefined) => ({
  scenario: (scenario: string, arms: Record<string, Recorded>): void => {
    console.log()
    printTable([[scenario, ...HEAD], ...Object.entries(arms).map(([name, { measured }]) => rowOf(name, measured))])
    if (pictures === undefined) return
    mkdirSync(pictures, { recursive: true })
    writeFileSync(join(pictures, `scaling-${scenario.replaceAll(/\W+/g, '-')}.svg`), pictureOf(scenario, arms))
  },
  controlPlanes: (figures: Record<string, ControlPlane>): void => {
    console.log()
    printTable([
      ['control plane', ...CONTROL_PLANE_HEAD],
      ...Object.entries(figures).map(([name, one]) => controlPlaneRow(name, one)),
    ])
  },
})

/** A promise that SIGINT and SIGTERM do not cut: they abort the signal, so that what was made is taken away first. */
const untilInterrupted = async <T>(run: (interrupted: AbortSignal) => Promise<T>): Promise<T> => {
  const interruption = new AbortController()
  const interrupt = (): void => {
    console.error('interrupted: taking the pipelines away first')
    interruption.abort()
  }
  const SIGNALS = ['SIGINT', 'SIGTERM'] as const
  for (const signal of SIGNALS) process.on(signal, interrupt)
  try {
    return await run(interruption.signal)
  } catch (error) {
    if (error instanceof Interrupted) process.exit(130) // what was interrupted may still wait for its condition
    throw error
  } finally {
    for (const signal of SIGNALS) process.off(signal, interrupt)
  }
}

/**
 * Ours beside the real KEDA on the local cluster; prints a table of each scenario as it ends.
 * @param only one of `COMPARISONS`; all of them without it
 * @param pictures a folder for an SVG of each scenario; none are made without it
 */
export const benchScaling = (only: string | undefined, pictures: string | undefined): Promise<object> =>
  untilInterrupted(async (interrupted) => {
    const figures: Record<string, object> = {}
    for (const [name, comparison] of Object.entries(COMPARISONS)) {
      if (only !== undefined && only !== name) continue
      const { scenarios, controlPlanes } = await measure(comparison, interrupted, tell(pictures))
      const measured = scenarios.map(({ scenario, arms }) => [
        scenario,
        Object.fromEntries(Object.entries(arms).map(([title, one]) => [title, one.measured])),
      ])
      figures[name] = { ...Object.fromEntries(measured), controlPlanes }
    }
    return figures
  })
