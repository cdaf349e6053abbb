import type { World } from './world.ts'

/** A ScaledObject on a queue's length, and the HPA that KEDA makes of it. */
export type KedaSettings = {
  pollingInterval: number
  cooldownPeriod: number
  value: number
  maxReplicaCount: number
  /** Without it the HPA has no behavior: at most twice as many, or four, in a sync. */
  scaleUpPods?: number
  downStabilizationSeconds: number
}

/** The HPA controller's sync period, its tolerance, and without behavior its limit; kubernetes/pkg/controller/podautoscaler. */
const SYNC_SECONDS = 15
const TOLERANCE = 0.1
const SMALLEST_LIMIT = 4

/** Messages as KEDA reads them: an answer without figures decodes to 0, an error is no value. */
const messagesOf = (world: World): number | undefined => {
  const look = world.look()
  if (look === undefined) return undefined
  return look === 'blank' ? 0 : look.ready + look.unacked
}

/**
 * KEDA 2.20 and the HPA of Kubernetes 1.36 on two clocks: KEDA decides between none and one and, after the cooldown,
 * any number and none; all else is the HPA's, `ceil(messages / value)`, which looks on its own.
 */
export const createKeda = (settings: KedaSettings, random: () => number) => {
  const { pollingInterval, value, maxReplicaCount } = settings
  let pollAt = random() * pollingInterval
  let syncAt = random() * SYNC_SECONDS
  let lastActiveAt = 0
  let recommended: { at: number; replicas: number }[] = []

  const poll = (world: World): void => {
    const messages = messagesOf(world)
    if (messages === undefined) return
    if (messages > 0) {
      lastActiveAt = world.now()
      if (world.wanted() === 0) world.scale(1)
    } else if (world.wanted() > 0 && world.now() - lastActiveAt > settings.cooldownPeriod) world.scale(0)
  }

  const sync = (world: World): void => {
    const messages = messagesOf(world)
    const current = world.wanted()
    // An HPA with none is switched off, and one without a metric changes nothing.
    if (current === 0 || messages === undefined) return
    const ratio = messages / (value * current)
    const proposed = Math.abs(1 - ratio) <= TOLERANCE ? current : Math.ceil(messages / value)
    const now = world.now()
    recommended = [
      ...recommended.filter(({ at }) => at > now - settings.downStabilizationSeconds),
      { at: now, replicas: proposed },
    ]
    const stabilized =
      proposed >= current ? proposed : Math.min(current, Math.max(...recommended.map(({ replicas }) => replicas)))
    const most =
      settings.scaleUpPods === undefined ? Math.max(2 * current, SMALLEST_LIMIT) : current + settings.scaleUpPods
    world.scale(Math.max(1, Math.min(stabilized, most, maxReplicaCount)))
  }

  return {
    step: (world: World): void => {
      if (world.now() >= pollAt) {
        pollAt += pollingInterval
        poll(world)
      }
      if (world.now() >= syncAt) {
        syncAt += SYNC_SECONDS
        sync(world)
      }
    },
  }
}
