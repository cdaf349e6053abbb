import { printTable } from '../table.ts'
import { ARMS, compare, type Figures } from './compare.ts'
import { SCENARIOS } from './traces.ts'

const HEAD = ['', 'p50', 'p95', 'worst', 'pod-s', 'flips', 'writes', 'redelivered', 'left'] as const

const rowOf = (name: string, figures: Figures): string[] => [
  name,
  `${figures.p50.toFixed(1)} s`,
  `${figures.p95.toFixed(1)} s`,
  `${figures.worst.toFixed(0)} s`,
  Math.round(figures.podSeconds).toLocaleString('en-US'),
  figures.flips.toFixed(1),
  figures.writes.toFixed(1),
  figures.redelivered.toFixed(0),
  String(figures.left),
]

/** Replays every trace against every scaler, in a model and without a cluster, and prints a table of each. */
export const simulateScaling = (): Record<string, Record<string, Figures>> => {
  const figures: Record<string, Record<string, Figures>> = {}
  for (const scenario of SCENARIOS) {
    const row = Object.fromEntries(ARMS.map((arm) => [arm.name, compare(scenario, arm)]))
    figures[scenario.name] = row
    console.log()
    printTable([[scenario.name, ...HEAD.slice(1)], ...Object.entries(row).map(([name, seen]) => rowOf(name, seen))])
  }
  return figures
}
