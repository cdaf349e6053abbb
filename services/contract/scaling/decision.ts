import type { Scaling } from './block.ts'
import { drainEta, isBurst } from './burst.ts'
import { type Demand, demandOf, type Limit, type Terms, triggerName } from './demand.ts'
import { CALM_MS, type Memory } from './memory.ts'
import type { ScalingReason } from './reasons.ts'
import { type Facts, type Situation, situationOf } from './situation.ts'

/** What a situation leads to, and how. */
export type Verdict = {
  /** How many pods there shall be; of a dry run, how many there would be. */
  desired: number
  /** Before limits, and after the stabilization windows. */
  raw: number
  stabilized: number
  reason: ScalingReason
  message: string
  terms?: Terms
  limits: Limit[]
  /** Seconds until the pods that are ready have drained the backlog; left out when they never will, or it is not known. */
  drainEtaSeconds?: number
}

/** What else a decision tells the next one. */
type Traces = { active: boolean; unknown: boolean; wanted: number | undefined; burst: boolean }

const clamp = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, value))

/** The number while triggers cannot be read: the present one, until the fallback begins. */
const unknownFloor = ({ inputs, replicas: { current } }: Situation, scaling: Scaling): [number, ScalingReason] => {
  const { fallback, pollingInterval } = scaling
  const failures = Math.floor((inputs.unknownSeconds ?? 0) / pollingInterval) + 1
  if (fallback === undefined || failures <= fallback.failureThreshold) return [current, 'BacklogUnknown']
  const number = {
    static: fallback.replicas,
    currentReplicas: current,
    currentReplicasIfHigher: Math.max(current, fallback.replicas),
    currentReplicasIfLower: Math.min(current, fallback.replicas),
  }[fallback.behavior]
  return [number, 'Fallback']
}

/** The number when no trigger is active. */
const restingNumber = ({ inputs, replicas: { current } }: Situation, scaling: Scaling): [number, ScalingReason] => {
  const resting = scaling.idleReplicaCount ?? scaling.minReplicaCount
  const last = Math.max(1, scaling.minReplicaCount)
  if ((inputs.unacked ?? 0) > 0) return [current <= resting ? Math.max(1, resting) : last, 'UnackedMessages']
  if (current <= resting) return [resting, 'QueueEmpty']
  const cooldown = inputs.neverActive === true ? scaling.initialCooldownPeriod : scaling.cooldownPeriod
  return (inputs.idleSeconds ?? 0) < cooldown ? [last, 'CoolingDown'] : [resting, 'QueueEmpty']
}

type Step = [name: string, reason: ScalingReason, limit: (wanted: number) => number]

/** What stands between the wish and the number, in order. */
const stepsOf = (situation: Situation, scaling: Scaling, held: boolean): { stabilize: Step[]; rest: Step[] } => {
  const { replicas, bounds, pauses, inputs } = situation
  const { current } = replicas
  const { scaleUp, scaleDown } = scaling.behavior
  const near = (wanted: number): boolean =>
    wanted > current
      ? wanted - current <= Math.floor(scaleUp.tolerance * current)
      : current - wanted <= Math.floor(scaleDown.tolerance * current)
  const notDown = (holds: boolean) => (wanted: number) => (holds ? Math.max(wanted, current) : wanted)
  const notUp = (holds: boolean) => (wanted: number) => (holds ? Math.min(wanted, current) : wanted)
  return {
    stabilize: [
      ['Tolerance', 'Steady', (wanted) => (near(wanted) ? current : wanted)],
      [
        'Stabilization',
        'Stabilizing',
        (wanted) =>
          wanted > current
            ? Math.max(current, Math.min(wanted, bounds.lowest ?? wanted))
            : Math.min(current, Math.max(wanted, bounds.highest ?? wanted)),
      ],
    ],
    rest: [
      ['Burst', 'BurstHold', notDown(held)],
      ['Contradiction', 'DataContradicts', notDown(inputs.contradiction !== undefined)],
      [
        'Policy',
        'PolicyLimit',
        (wanted) =>
          Math.min(bounds.most ?? Number.POSITIVE_INFINITY, Math.max(wanted, Math.min(bounds.fewest ?? 0, current))),
      ],
      ['PausedScaleIn', 'Paused', notDown(pauses.scaleIn)],
      ['PausedScaleOut', 'Paused', notUp(pauses.scaleOut)],
    ],
  }
}

const shown = (terms: Terms): Terms => {
  const cents = (value: number): number => Math.round(value * 100) / 100
  return { steady: cents(terms.steady), startup: cents(terms.startup), backlog: cents(terms.backlog) }
}

const sentence = (current: number, desired: number, sum: string, raw: number, limits: readonly Limit[]): string => {
  const capped = limits.map(({ name, to }) => `${name} ${to}`).join(', ')
  const move = desired === current ? `stays at ${current}` : `${current} -> ${desired}`
  return `${move}: ${sum} = ${raw}${capped === '' ? '' : `; then ${capped}`}`
}

const judge = (situation: Situation, scaling: Scaling): { verdict: Verdict; traces: Traces } => {
  const { inputs, replicas, pauses } = situation
  const { current } = replicas
  const { minReplicaCount: min, maxReplicaCount: max } = scaling
  const quiet: Traces = { active: false, unknown: false, wanted: undefined, burst: false }
  const fixed = (desired: number, reason: ScalingReason, message: string, traces = quiet) => ({
    verdict: { desired, raw: desired, stabilized: desired, reason, message, limits: [] },
    traces,
  })
  if (inputs.elsewhere !== undefined) return fixed(current, inputs.elsewhere.reason, inputs.elsewhere.message)
  if (scaling.provider === 'None')
    return fixed(inputs.fixed ?? current, 'ScalingOff', 'spec.signals.replicas decides, because provider is None')
  if (scaling.provider === 'KEDA')
    return fixed(current, 'LeftToKeda', 'a ScaledObject decides, because provider is KEDA')
  if (pauses.paused) return fixed(pauses.replicas ?? current, 'Paused', 'an annotation holds the number')

  const demands = scaling.triggers.map((trigger, index) => demandOf(situation, trigger, index, scaling))
  const because = (name: string): string => {
    const problem = inputs.problems?.find((one) => one.name === name)
    return problem === undefined ? name : `${name}: ${problem.reason}, ${problem.message}`
  }
  const names = scaling.triggers
    .map(triggerName)
    .filter((_, index) => demands[index] === undefined)
    .map(because)
  const known = demands.filter((demand) => demand !== undefined)
  const [floor, floorReason] = unknownFloor(situation, scaling)
  if (known.length === 0) {
    const desired = floorReason === 'Fallback' ? clamp(floor, min, max) : Math.min(floor, Math.max(max, current))
    const what = `no trigger can be read (${names.join('; ')})`
    return fixed(
      desired,
      floorReason,
      desired === current ? `stays at ${current}: ${what}` : `${current} -> ${desired}: ${what}`,
      { ...quiet, unknown: true },
    )
  }

  const active = pauses.forced || known.some((demand) => demand.active)
  const top = known.reduce((best, demand) => (demand.replicas > best.replicas ? demand : best)) as Demand
  const [start, startReason] = active ? [top.replicas, top.reason] : restingNumber(situation, scaling)
  // Without a look nobody knows what pods hold; after one look at an empty queue, whether anything arrives.
  const unseen = inputs.unacked === undefined
  const blind = unseen || (!active && inputs.publishRate === undefined)
  const limits: Limit[] = active ? [...top.limits] : []
  let wanted = start
  let reason: ScalingReason = startReason
  /** Takes a step; a step that leaves the number at what it is, is the reason. */
  const take = ([name, why, limit]: Step): void => {
    const to = limit(wanted)
    if (to === wanted) return
    limits.push({ name, from: wanted, to })
    if (to === current) reason = why
    wanted = to
  }

  if (names.length > 0) take(['Unknown', floorReason, (number) => Math.max(number, floor)])
  else if (blind) take(['Unknown', unseen ? 'BacklogUnknown' : 'BurstHold', (number) => Math.max(number, current)])
  take(['Minimum', reason, (number) => (active ? Math.max(number, min, 1) : number)])
  take(['Maximum', 'AtMaximum', (number) => Math.min(number, max)])
  const recommended = wanted
  if (current > max) take(['Maximum', 'AtMaximum', () => max])
  const eta = drainEta(situation)
  const burst = active && isBurst(situation, recommended, eta, scaling)
  // Below the least and above the most there is nothing to wait for.
  const outside = current > max || (active && current < Math.max(1, min))
  // With nothing to do a burst is over; how long pods stay then is the cooldown's to say, which the user sets.
  const held = active && (burst || (situation.bounds.burst && inputs.downstreamRate === undefined))
  const { stabilize, rest } = stepsOf(situation, scaling, held)
  if (!outside) stabilize.forEach(take)
  const stabilized = wanted
  if (current <= max) rest.forEach(take)
  else reason = 'AtMaximum'
  if (wanted === current && (reason === 'BacklogAndRate' || reason === 'TriggerValue')) reason = 'Steady'

  const sum = active ? top.sum : (inputs.unacked ?? 0) > 0 ? `${inputs.unacked} unacknowledged` : 'nothing to do'
  return {
    verdict: {
      desired: wanted,
      raw: active ? top.raw : start,
      stabilized,
      reason,
      message: sentence(current, wanted, sum, active ? top.raw : start, limits),
      ...(active && { terms: shown(top.terms) }),
      limits,
      ...(eta !== undefined && { drainEtaSeconds: eta }),
    },
    traces: { active, unknown: names.length > 0, wanted: blind ? undefined : recommended, burst },
  }
}

/** The decision on a situation: the same figures and the same block always give the same. Pure. */
export const decide = (situation: Situation, scaling: Scaling): Verdict => judge(situation, scaling).verdict

export type Decision = {
  /** How many pods to ask for now. */
  replicas: number
  reason: ScalingReason
  message: string
  situation: Situation
  verdict: Verdict
  memory: Memory
}

/**
 * How many signals pods there should be. Pure: facts, block, memory and time in; number, reason and memory out.
 *
 * want = arrival / (utilization x rate) + backlog / (rate x drain time) + what gathers while pods start, all in one
 * step from any number, 0 included; until a rate is learnt, backlog / value as KEDA has it. Never fewer on missing,
 * stale or contradictory data or in a burst, never none while a message is unacknowledged, no more than the queue can
 * feed or what is behind the pods can take; and within `behavior`, as an HPA is.
 */
export const decideScaling = (facts: Facts, scaling: Scaling, before: Memory, nowMs: number): Decision => {
  const { situation, memory } = situationOf(facts, scaling, before, nowMs)
  const { verdict, traces } = judge(situation, scaling)
  const { unknownMs = nowMs, ...known } = memory
  const dry = scaling.dryRun && scaling.provider === 'Native'
  return {
    replicas: dry ? facts.replicas.current : verdict.desired,
    reason: verdict.reason,
    message:
      dry && verdict.desired !== facts.replicas.current ? `dry run, not done: ${verdict.message}` : verdict.message,
    situation,
    verdict,
    memory: {
      ...known,
      ...(traces.unknown && { unknownMs }),
      ...(traces.active && { lastActiveMs: nowMs }),
      ...(traces.burst && { burstUntilMs: nowMs + CALM_MS }),
      ...(traces.wanted !== undefined && { wanted: [...memory.wanted, { atMs: nowMs, replicas: traces.wanted }] }),
    },
  }
}
