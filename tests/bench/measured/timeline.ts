import { setTimeout as delay } from 'node:timers/promises'
import type { Api } from '../../operator/api.ts'

/** The signals pods of an arm at an instant: as asked for, as they are, and those that are ready. */
export type Moment = { seconds: number; wanted: number; pods: number; ready: number }

export type Timeline = {
  /** What is seen so far, from the call of `openTimeline` on. */
  moments: () => readonly Moment[]
  /** @throws Error when the Deployment could not be looked at */
  close: () => Promise<void>
}

const LOOK_MS = 250

/** Looks at a Deployment four times a second. */
export const openTimeline = (api: Api, pipeline: string): Timeline => {
  const moments: Moment[] = []
  const startedAt = performance.now()
  const stopping = new AbortController()
  const look = async (): Promise<void> => {
    const { spec, status } = await api.call('GET', `/apis/apps/v1/namespaces/xray/deployments/${pipeline}-signals`)
    const { replicas: wanted } = spec as { replicas: number }
    const { replicas: pods = 0, readyReplicas: ready = 0 } = status as { replicas?: number; readyReplicas?: number }
    moments.push({ seconds: (performance.now() - startedAt) / 1000, wanted, pods, ready })
  }
  const looking = (async () => {
    while (!stopping.signal.aborted) {
      await look()
      await delay(LOOK_MS, undefined, { signal: stopping.signal }).catch(() => undefined)
    }
  })()
  looking.catch(() => undefined) // told by `close`: until then nobody waits for it
  return {
    moments: () => moments,
    close: async () => {
      stopping.abort()
      await looking
    },
  }
}

/** Seconds until so many were ready; undefined when they never were. */
export const secondsUntilReady = (moments: readonly Moment[], count: number): number | undefined => {
  const found = moments.find(({ ready }) => ready >= count)
  return found && Math.round(found.seconds * 10) / 10
}

/** Pods, summed over the time that each was there. */
export const podSeconds = (moments: readonly Moment[]): number =>
  Math.round(
    moments.slice(1).reduce((sum, { seconds }, index) => {
      const before = moments[index] as Moment
      return sum + before.pods * (seconds - before.seconds)
    }, 0),
  )

/** How often the number that is asked for was changed, and how often it turned from more to fewer or back. */
export const changesOf = (moments: readonly Moment[]): { writes: number; flips: number } => {
  const steps = moments
    .slice(1)
    .map(({ wanted }, index) => Math.sign(wanted - (moments[index] as Moment).wanted))
    .filter((step) => step !== 0)
  return { writes: steps.length, flips: steps.filter((step, index) => index > 0 && step !== steps[index - 1]).length }
}

/** How many fewer pods were asked for at some time between two seconds, each step down summed. */
export const takenAway = (moments: readonly Moment[], from: number, to: number): number =>
  moments.slice(1).reduce((sum, { seconds, wanted }, index) => {
    const before = (moments[index] as Moment).wanted
    return seconds > from && seconds <= to ? sum + Math.max(0, before - wanted) : sum
  }, 0)
