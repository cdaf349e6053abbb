import { type Check, fine, odd, wrong } from './check.ts'
import { conditionOf } from './cluster.ts'
import type { World } from './commands.ts'
import { addressOf, call } from './http.ts'
import { type Pod, podsPath } from './pod-logs.ts'
import type { SERVERS } from './servers.ts'
import { isHealthy } from './status.ts'

const METRICS_PORT = 9464
const KEYS: Record<string, RegExp> = {
  'device-master-k1': /^[0-9a-f]{64}$/,
  'message-p1': /^[0-9a-f]{64}$/,
  'api-admin-token': /^xrk_\S+$/,
}

/** Reasons of ScalingActive that somebody chose, and those that pass by themselves or that somebody may have forgotten. */
const CHOSEN = ['ScalingOff', 'LeftToKeda']
const PASSING = ['NotDecided', 'KedaPending', 'KedaLeaving', 'Fallback', 'Paused']

/** What must hold for a recording to get from a device to a reader. */
export const pipelineChecks = (world: World): Check[] => {
  const { namespace, pipeline: name, ingest, api, token } = world.settings
  const where = `-n ${namespace.value}`
  const read = () => world.cluster().pipeline()
  const pods = async (): Promise<Pod[]> =>
    (await world.cluster().kube.list<Pod>(podsPath(namespace.value, name.value, undefined), 'the pods')).items
  const condition = async (type: string) => {
    const found = conditionOf(await read(), type)
    if (found === undefined) return wrong('the operator has not looked at it yet')
    return found.status === 'True' ? fine(found.message) : wrong(`${found.reason}: ${found.message}`)
  }
  const server = (kind: keyof typeof SERVERS, chart: string): Check => ({
    name: kind,
    needs: ['pipeline'],
    fix: `kubectl get pods ${where} -l app.kubernetes.io/name=${chart}; the address and the password are in the Secret that spec.${kind}.secretRef names`,
    look: async () => {
      // Three clients that no other command waits for.
      const { lookAtServer } = await import('./servers.ts')
      return lookAtServer(world.cluster(), kind, (await read()).spec[kind]?.secretRef.name ?? `xray-${chart}`)
    },
  })
  return [
    {
      name: 'pipeline',
      needs: ['kubernetes', 'definition'],
      fix: 'kubectl apply -f k8s/samples/leipzig.yaml, or name another with -n and -p',
      look: async () => fine(`generation ${(await read()).metadata.generation}`),
    },
    {
      name: 'images',
      needs: ['pipeline'],
      fix: 'kubectl describe pod: a wrong name, a registry that cannot be reached, or spec.podTemplate.imagePullSecrets',
      look: async () => {
        const waiting = (await pods()).flatMap(({ metadata, status }) =>
          (status?.containerStatuses ?? [])
            .filter(({ state }) => /Image/.test(state?.waiting?.reason ?? ''))
            .map(({ image, state }) => `${metadata.name}: ${image}, ${state?.waiting?.reason}`),
        )
        const images = new Set(Object.values((await read()).status?.components ?? {}).map(({ image }) => image))
        return waiting.length === 0 ? fine([...images].join(', ')) : wrong(waiting.join('; '))
      },
    },
    server('broker', 'rabbitmq'),
    server('store', 'mongodb'),
    server('cache', 'redis'),
    {
      name: 'topology',
      needs: ['pipeline'],
      fix: 'xrayctl explain TopologyMismatch',
      look: () => condition('TopologyReady'),
    },
    {
      name: 'keys',
      needs: ['pipeline'],
      fix: `the operator makes them when the Secret is not there: kubectl describe secret ${where} ${name.value}-keys`,
      look: async () => {
        const secretName = (await read()).spec.keys?.secretRef?.name ?? `${name.value}-keys`
        const { data = {} } = await world.cluster().secret(secretName)
        const faults = Object.entries(KEYS).flatMap(([key, form]) => {
          const value = data[key]
          if (value === undefined) return [`no key "${key}"`]
          return form.test(Buffer.from(value, 'base64').toString().trim())
            ? []
            : [`"${key}" has not the form ${form.source}`]
        })
        return faults.length === 0
          ? fine(`${namespace.value}/${secretName} has ${Object.keys(KEYS).join(', ')}`)
          : wrong(`${namespace.value}/${secretName}: ${faults.join(', ')}`)
      },
    },
    {
      name: 'metrics',
      needs: ['pipeline'],
      fix: `kubectl get networkpolicy ${where}; port ${METRICS_PORT} must be open to the cluster`,
      look: async () => {
        const ready = (await pods()).filter(({ status }) => status?.containerStatuses?.every(({ ready: up }) => up))
        const texts = await Promise.all(
          ready.map(async ({ metadata }) => {
            const path = `/api/v1/namespaces/${namespace.value}/pods/${metadata.name}:${METRICS_PORT}/proxy/metrics`
            return (await world.cluster().kube.ask(path, `the metrics of ${metadata.name}`)).text()
          }),
        )
        const silent = ready
          .filter((_, index) => !texts[index]?.includes('\nxray_'))
          .map(({ metadata }) => metadata.name)
        if (ready.length === 0) return odd('no pod is ready')
        return silent.length === 0 ? fine(`of ${ready.length} pods`) : wrong(`${silent.join(', ')} tells none of ours`)
      },
    },
    {
      name: 'scaling',
      needs: ['pipeline'],
      fix: 'xrayctl scale explain; xrayctl explain REASON',
      look: async () => {
        const found = conditionOf(await read(), 'ScalingActive')
        if (found === undefined) return wrong('the operator has not looked at it yet')
        const text = `${found.reason}: ${found.message}`
        if (CHOSEN.includes(found.reason)) return fine(text)
        if (PASSING.includes(found.reason)) return odd(text)
        return found.status === 'True' ? fine(text) : wrong(text)
      },
    },
    {
      name: 'dead letters',
      needs: ['pipeline'],
      fix: 'xrayctl dlq stats; xrayctl dlq list; then replay or discard them (docs/dead-letters.md)',
      look: async () => {
        const { deadLetters } = (await read()).status ?? {}
        if (deadLetters === undefined) return odd('how many there are is not known')
        return deadLetters === 0 ? fine('none') : odd(`${deadLetters} wait for somebody to decide`)
      },
    },
    {
      name: 'ingest',
      fix: `kubectl get service ${where}; --ingest or XRAY_INGEST says where devices post to`,
      look: async () => {
        const { status } = await call(addressOf(ingest.value, '/v1/ingest'), { method: 'POST' })
        const text = `${ingest.value} refuses what is not signed`
        return status === 400
          ? fine(text)
          : wrong(`${ingest.value}: expected 400 for a request without a signature, got ${status}`)
      },
    },
    {
      name: 'api',
      fix: '--api or XRAY_API says where it is; set XRAY_TOKEN, or use a kubeconfig that may read the keys',
      look: async () => {
        const bearer = token.value || (await world.cluster().key('api-admin-token'))
        const { status } = await call(addressOf(api.value, '/api/signals?limit=1'), {
          headers: { authorization: `Bearer ${bearer}` },
        })
        return status === 200
          ? fine(`${api.value} takes the token`)
          : wrong(`${api.value}: expected 200, got ${status}`)
      },
    },
    {
      name: 'ready',
      needs: ['pipeline'],
      fix: 'xrayctl status; xrayctl explain REASON; xrayctl events',
      look: async () => {
        const pipeline = await read()
        const { observedGeneration = -1 } = pipeline.status ?? {}
        const found = await condition('Ready')
        if (found.state !== undefined || isHealthy(pipeline)) return found
        return wrong(`the operator has seen generation ${observedGeneration} of ${pipeline.metadata.generation}`)
      },
    },
  ]
}
