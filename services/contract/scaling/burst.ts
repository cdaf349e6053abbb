import type { Scaling } from './block.ts'
import type { Situation } from './situation.ts'

/** So many times the pods that are ready must be wanted. */
const BURST = 2

/** Seconds until the pods that are ready have worked off the backlog; undefined when they never will, or it is not known. */
export const drainEta = ({ inputs, replicas }: Situation): number | undefined => {
  const { ready, unacked, publishRate = 0, serviceRate } = inputs
  if (ready === undefined || unacked === undefined || serviceRate === undefined) return undefined
  const spare = serviceRate.value * replicas.ready - publishRate
  if (ready + unacked === 0) return 0
  return spare > 0 ? Math.ceil((ready + unacked) / spare) : undefined
}

/**
 * More than half of what is needed is missing; or so much waits that it alone takes longer than it may, and with what
 * arrives more than twice as long. Pods that are merely used to the full are no burst.
 */
export const isBurst = (situation: Situation, wanted: number, eta: number | undefined, scaling: Scaling): boolean => {
  const { inputs, replicas } = situation
  if (inputs.downstreamRate !== undefined) return false
  const { targetDrainSeconds: drain } = scaling.slo
  const waiting = (inputs.ready ?? 0) > (inputs.serviceRate?.value ?? Number.POSITIVE_INFINITY) * replicas.ready * drain
  return wanted >= BURST * Math.max(1, replicas.ready) || (waiting && (eta ?? Number.POSITIVE_INFINITY) > 2 * drain)
}
