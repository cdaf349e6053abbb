import type { Scaling, ScalingPolicy, ScalingRules } from './block.ts'

export type Change = { atMs: number; from: number; to: number }
export type Wanted = { atMs: number; replicas: number }

/**
 * How far the number may move now, by `behavior`: the lowest and highest that was wanted in the windows, and what the
 * policies allow at most and at least. A bound that is left out does not exist.
 */
export type Bounds = { lowest?: number; highest?: number; most?: number; fewest?: number }

const since = <T extends { atMs: number }>(all: readonly T[], seconds: number, nowMs: number): T[] =>
  all.filter(({ atMs }) => atMs > nowMs - seconds * 1000)

/** The number at the start of a policy's period: what changed since is undone. */
const atStart = (
  { periodSeconds }: ScalingPolicy,
  current: number,
  changes: readonly Change[],
  nowMs: number,
): number => since(changes, periodSeconds, nowMs).reduce((number, { from, to }) => number - (to - from), current)

const limitOf = (
  rules: ScalingRules,
  current: number,
  changes: readonly Change[],
  direction: 1 | -1,
  nowMs: number,
): number | undefined => {
  if (rules.selectPolicy === 'Disabled') return current
  // As the HPA counts: percent up are rounded up, percent down are cut off. From none, percent are of one.
  const limits = rules.policies.map((policy) => {
    const start = atStart(policy, current, changes, nowMs)
    if (policy.type === 'Pods') return start + direction * policy.value
    const moved = Math.max(start, direction) * (1 + (direction * policy.value) / 100)
    return direction === 1 ? Math.ceil(moved - 1e-9) : Math.floor(moved + 1e-9)
  })
  if (limits.length === 0) return undefined
  const furthest = (rules.selectPolicy === 'Max') === (direction === 1) ? Math.max(...limits) : Math.min(...limits)
  return direction === 1 ? Math.max(current, furthest) : Math.max(0, Math.min(current, furthest))
}

/**
 * The bounds of this moment, by the rules of `autoscaling/v2` (kubernetes/pkg/controller/podautoscaler/horizontal.go).
 * @param changes of the number of pods lately, ours and others'
 */
export const boundsOf = (
  { scaleUp, scaleDown }: Scaling['behavior'],
  current: number,
  wanted: readonly Wanted[],
  changes: readonly Change[],
  nowMs: number,
): Bounds => {
  const up = since(wanted, scaleUp.stabilizationWindowSeconds, nowMs).map(({ replicas }) => replicas)
  const down = since(wanted, scaleDown.stabilizationWindowSeconds, nowMs).map(({ replicas }) => replicas)
  const most = limitOf(scaleUp, current, changes, 1, nowMs)
  const fewest = limitOf(scaleDown, current, changes, -1, nowMs)
  return {
    ...(up.length > 0 && { lowest: Math.min(...up) }),
    ...(down.length > 0 && { highest: Math.max(...down) }),
    ...(most !== undefined && { most }),
    ...(fewest !== undefined && { fewest }),
  }
}

/** How long what was wanted, and what changed, must be kept for these rules, ms. */
export const keptMs = ({ scaleUp, scaleDown }: Scaling['behavior']): number =>
  1000 *
  Math.max(
    ...[scaleUp, scaleDown].flatMap(({ stabilizationWindowSeconds, policies }) => [
      stabilizationWindowSeconds,
      ...policies.map(({ periodSeconds }) => periodSeconds),
    ]),
  )
