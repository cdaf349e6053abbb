import type { Cluster, PipelineView } from './cluster.ts'
import { call } from './http.ts'
import type { Settings } from './settings.ts'

export type Check = { name: string; problem: string | undefined; fix: string }

const MAX_SKEW_MS = 300_000

const attempt = async (name: string, fix: string, run: () => Promise<string | undefined>): Promise<Check> => ({
  name,
  problem: await run().catch((error: Error) => error.message),
  fix,
})

const conditionOf = (pipeline: PipelineView, type: string): string | undefined => {
  const condition = pipeline.status?.conditions?.find((candidate) => candidate.type === type)
  if (condition?.status === 'True') return undefined
  return condition === undefined ? 'the operator has not looked at it yet' : `${condition.reason}: ${condition.message}`
}

/** Looks at everything that must hold for a recording to get from a device to a reader; one line and one fix for each. */
export const examine = async (
  settings: Settings,
  cluster: () => Cluster,
  world: { nodeVersion: string; now: () => number },
): Promise<Check[]> => {
  const { api, ingest, token } = settings
  const condition = (type: string) => async () => conditionOf(await cluster().pipeline(), type)
  return [
    await attempt('Node is 24 or newer', 'run it as "npm run xrayctl --"', async () =>
      Number.parseInt(world.nodeVersion.slice(1), 10) >= 24 ? undefined : `this is ${world.nodeVersion}`,
    ),
    await attempt('the kubeconfig names a cluster', 'run "npm start", or set KUBECONFIG', async () =>
      cluster().server === '' ? 'it names none' : undefined,
    ),
    await attempt(
      'the pipeline is there',
      'kubectl apply -f k8s/samples/leipzig.yaml',
      async () => void (await cluster().pipeline()),
    ),
    await attempt(
      'the broker is reachable',
      'kubectl -n xray get pods; kubectl -n xray logs xray-rabbitmq-0',
      condition('BrokerReachable'),
    ),
    await attempt(
      'queues and exchanges are declared',
      'see the message; delete what differs, or name another queue',
      condition('TopologyReady'),
    ),
    await attempt('the pipeline is ready', 'kubectl -n xray describe xrp', condition('Ready')),
    await attempt(
      'the keys are there',
      'kubectl -n xray get secret; the operator makes them',
      async () => void (await cluster().key('api-admin-token')),
    ),
    await attempt('ingest answers, and refuses what is not signed', `check ${ingest.value}`, async () => {
      const { status } = await call(new URL('/v1/ingest', ingest.value).href, { method: 'POST' })
      return status === 400 ? undefined : `expected 400, got ${status}`
    }),
    await attempt('the clocks agree', 'set the clock of this machine', async () => {
      const { headers } = await call(new URL('/api/health', api.value).href)
      const skew = Math.abs(Date.parse(headers.get('date') ?? '') - world.now())
      return skew <= MAX_SKEW_MS ? undefined : `they are ${Math.round(skew / 1000)} s apart`
    }),
    await attempt(
      'the API accepts the token',
      'set XRAY_TOKEN, or use a kubeconfig that may read the keys',
      async () => {
        const bearer = token.value || (await cluster().key('api-admin-token'))
        const { status } = await call(new URL('/api/signals?limit=1', api.value).href, {
          headers: { authorization: `Bearer ${bearer}` },
        })
        return status === 200 ? undefined : `expected 200, got ${status}`
      },
    ),
  ]
}
