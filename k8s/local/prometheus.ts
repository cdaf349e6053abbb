import { join } from 'node:path'
import { kubectl } from './control-plane.ts'
import { PORTS } from './paths.ts'
import { until } from './progress.ts'

export const PROMETHEUS = `http://127.0.0.1:${PORTS.prometheus}`

/** What is scraped: its labels, whether it answered the last time, and if not, why. */
export type ScrapeTarget = { labels: Record<string, string>; health: 'up' | 'down' | 'unknown'; lastError: string }

/** All that Prometheus scrapes now. */
export const scrapeTargets = async (): Promise<ScrapeTarget[]> => {
  const answer = await fetch(`${PROMETHEUS}/api/v1/targets?state=active`)
  return ((await answer.json()) as { data: { activeTargets: ScrapeTarget[] } }).data.activeTargets
}

/** What must answer before the cluster counts as started; another pipeline's pods may be broken. */
const EXPECTED = ['xrayiot', 'xray-operator', 'rabbitmq', 'rabbitmq-queues']

/** Applies Prometheus and waits until it has figures of the services, the operator and the broker. */
export const ensurePrometheus = async (): Promise<string> => {
  await kubectl(['apply', '-f', join(import.meta.dirname, 'manifests/prometheus.yaml')])
  await kubectl(['rollout', 'status', 'deployment/prometheus', '-n', 'xray-system', '--timeout=120s'])
  return until('Prometheus to reach what it scrapes', 60, async () => {
    const targets = await scrapeTargets()
    const up = targets.filter(({ health }) => health === 'up')
    const missing = EXPECTED.find((name) => !up.some(({ labels }) => (labels.app ?? labels.job) === name))
    if (missing === undefined) return `${up.length} of ${targets.length} targets are up`
    const lost = targets.find(({ health }) => health === 'down')
    throw new Error(lost === undefined ? `none of ${missing} is up yet` : `${lost.labels.pod}: ${lost.lastError}`)
  })
}
