import { read } from '../../e2e/cluster.ts'
import { readUsage } from '../usage.ts'
import type { Relay } from './relay.ts'

/** What a control plane has used so far. */
export type Spent = { cpuSeconds: number; rssBytes: number; brokerRequests: number; apiRequests: number }
export type ControlPlane = { cpuSeconds: number; rssMegabytes: number; brokerRequests: number; apiRequests: number }

const OPERATOR_METRICS_PORT = 9464
/** Of KEDA's operator and adapter on the local cluster (`k8s/local/keda-cluster.ts`). */
const KEDA_METRICS = ['http://127.0.0.1:9667/metrics', 'http://127.0.0.1:9669/metrics']

/** Sum over all label sets of a counter in Prometheus' text format. */
export const sumOf = (metrics: string, counter: string): number =>
  metrics
    .split('\n')
    .filter((line) => line.startsWith(`${counter}{`) || line.startsWith(`${counter} `))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)

/** Requests to the API server, as each process counts its own; 0 of a process that is not there. */
const requestsOf = async (urls: readonly string[]): Promise<number> => {
  const texts = await Promise.all(
    urls.map((url) =>
      fetch(url).then(
        (answer) => answer.text(),
        () => '',
      ),
    ),
  )
  return texts.reduce((sum, text) => sum + sumOf(text, 'rest_client_requests_total'), 0)
}

const operatorMetrics = async (): Promise<string[]> => {
  const pods = await read('pods', '-n', 'xray-system', '-l', 'app.kubernetes.io/name=xray-operator')
  return pods.items.map(
    ({ status }: { status: { podIP?: string } }) => `http://${status.podIP}:${OPERATOR_METRICS_PORT}/metrics`,
  )
}

/** Ours, and KEDA's operator and adapter; what the HPA controller does is the controller-manager's and not counted. */
export const readControlPlanes = async (relay: Relay): Promise<Record<'operator' | 'keda', Spent>> => {
  const [usage, asked] = [readUsage(''), relay.requests()]
  const [operator, keda] = await Promise.all([requestsOf(await operatorMetrics()), requestsOf(KEDA_METRICS)])
  const none = { cpuSeconds: 0, rssBytes: 0 }
  return {
    operator: { ...(usage.operator ?? none), brokerRequests: asked.operator, apiRequests: operator },
    keda: { ...(usage.keda ?? none), brokerRequests: asked.keda, apiRequests: keda },
  }
}

/** What was used between two readings. A process that was started anew meanwhile counts from its start. */
export const spentBetween = (before: Spent, after: Spent): ControlPlane => {
  const grown = (key: keyof Spent): number => (after[key] >= before[key] ? after[key] - before[key] : after[key])
  return {
    cpuSeconds: Math.round(grown('cpuSeconds') * 10) / 10,
    rssMegabytes: Math.round(after.rssBytes / 1e6),
    brokerRequests: grown('brokerRequests'),
    apiRequests: grown('apiRequests'),
  }
}
