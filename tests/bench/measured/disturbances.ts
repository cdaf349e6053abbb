import { setTimeout as delay } from 'node:timers/promises'
import { ensureKeda } from '../../../k8s/local/keda-cluster.ts'
import { endProcess } from '../../../k8s/local/processes.ts'
import { kubectl } from '../../e2e/cluster.ts'
import type { Arm, Scenario } from './comparisons.ts'
import type { Relay } from './relay.ts'

const killOperator = (): Promise<string> => {
  const which = ['-n', 'xray-system', '-l', 'app.kubernetes.io/name=xray-operator']
  return kubectl(['delete', 'pods', ...which, '--force', '--grace-period=0', '--wait=false'])
}

/** Ours comes back by its Deployment, KEDA's processes as the local cluster starts them. */
const killAll = async (arms: readonly Arm[]): Promise<void> => {
  const withKeda = arms.some(({ scaling }) => scaling.provider === 'KEDA')
  try {
    await Promise.all([
      killOperator(),
      ...(withKeda ? [endProcess('keda-operator', 0), endProcess('keda-adapter', 0)] : []),
    ])
  } finally {
    if (withKeda) await ensureKeda()
  }
}

/** What a scenario does to those who decide, each at its second. */
export const disturb = (scenario: Scenario, arms: readonly Arm[], relay: Relay) => {
  const stopping = new AbortController()
  const startedAt = performance.now()
  const untilSecond = (second: number): Promise<void> =>
    delay(Math.max(0, startedAt + second * 1000 - performance.now()), undefined, { signal: stopping.signal })
  const running = (async () => {
    if (scenario.killAt !== undefined) {
      await untilSecond(scenario.killAt)
      await killAll(arms)
    }
    if (scenario.outage !== undefined) {
      await untilSecond(scenario.outage[0])
      relay.fallSilent()
      await untilSecond(scenario.outage[1])
      relay.speak()
    }
  })()
  running.catch(() => undefined) // told by `ended`
  return {
    /** Resolves when all of it is over. @throws Error when something could not be done, or did not come back */
    ended: () => running,
    /** Ends it before its time, and leaves nothing disturbed. */
    close: async (): Promise<void> => {
      stopping.abort()
      await running.catch(() => undefined)
      relay.speak()
    },
  }
}
