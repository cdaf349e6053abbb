import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { printTable } from '../table.ts'
import { type Measured, measureScaling } from './measure.ts'
import { pictureOf } from './picture.ts'

const HEAD = ['p50', 'p95', 'p99', '1 ready', '10', '20', 'pod-s', 'writes', 'flips', 'redelivered', 'left']

const seconds = (value: number | undefined): string => (value === undefined ? '-' : `${value.toFixed(1)} s`)

const rowOf = (name: string, one: Measured): string[] => [
  name,
  ...[one.p50, one.p95, one.p99, one.firstReady, one.tenReady, one.twentyReady].map(seconds),
  ...[one.podSeconds, one.writes, one.flips, one.redelivered, one.left].map((count) => count.toLocaleString('en-US')),
]

/**
 * Ours beside the real KEDA on the local cluster; prints a table of each scenario as it ends.
 * @param pictures a folder for an SVG of each scenario; none are made without it
 */
export const benchScaling = async (pictures: string | undefined): Promise<object> => {
  const { scenarios, controlPlanes } = await measureScaling((scenario, arms) => {
    console.log()
    printTable([[scenario, ...HEAD], ...Object.entries(arms).map(([name, { measured }]) => rowOf(name, measured))])
    if (pictures === undefined) return
    mkdirSync(pictures, { recursive: true })
    writeFileSync(join(pictures, `scaling-${scenario.replaceAll(/\W+/g, '-')}.svg`), pictureOf(scenario, arms))
  })
  const figures = scenarios.map(({ scenario, arms }) => [
    scenario,
    Object.fromEntries(Object.entries(arms).map(([name, { measured }]) => [name, measured])),
  ])
  return { ...Object.fromEntries(figures), controlPlanes }
}
