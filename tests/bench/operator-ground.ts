import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { KubeConfig } from '@kubernetes/client-node'
import { parse } from 'yaml'
import { CHECKOUT } from '../../k8s/local/paths.ts'
import { CRD_FILE } from '../../operator/generate.ts'
import { toNodeOptions } from '../faults/sabotage.ts'
import { type Api, openApi } from '../operator/api.ts'
import type { AuditLog } from '../operator/audit.ts'
import { openControlPlane } from '../operator/control-plane.ts'
import { install } from '../operator/installation.ts'
import { must } from '../stand/condition.ts'

/** Where an operator is measured. */
export type Ground = {
  api: Api
  namespace: string
  /** How another operator, or kubectl, comes there. */
  kubeconfig: string
  /** The environment of an operator there. */
  environment: () => Promise<Record<string, string>>
  /** Undefined of an API server that is not ours: it has its audit log for itself. */
  audit: { log: AuditLog; user: string } | undefined
  /** The control plane's processes, as far as they are ours. */
  pids: () => Record<string, number>
  close: () => Promise<void>
}

/** As long as it takes to create a hundred changes a second when each takes half a second. */
const CONNECTIONS = 64
const NAMESPACE = 'bench'
const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount'

/** What the image gives a process in a pod with the chart's limit of memory: half of it for V8's old generation. */
const podOptions = (): { megabytes: number; environment: Record<string, string>; options: string } => {
  const { resources } = parse(readFileSync(join(CHECKOUT, 'charts/xray-operator/values.yaml'), 'utf8')) as {
    resources: { limits: { memory: string } }
  }
  const megabytes = Number(/^(\d+)Mi$/.exec(resources.limits.memory)?.[1])
  return {
    megabytes,
    environment: { NODE_ENV: 'production', MALLOC_ARENA_MAX: '2' },
    options: `--max-semi-space-size=4 --max-old-space-size=${megabytes / 2}`,
  }
}

/** The memory limit of the operator's pod, MB; its process is given what the image would give it there. */
export const POD_MEGABYTES = podOptions().megabytes

/** A control plane of its own, and an operator that comes to it as a pod does, by a service account's files. */
const ownGround = async (): Promise<Ground> => {
  const plane = await openControlPlane()
  try {
    const { user, environment } = await install(plane, [])
    const { folder, server } = plane
    const admin = { ca: 'ca.crt', cert: 'admin.crt', key: 'admin.key' }
    const files = Object.entries(admin).map(([field, file]) => [field, readFileSync(join(folder, file))])
    const api = openApi(server, Object.fromEntries(files), {}, CONNECTIONS)
    const account = join(folder, 'serviceaccount')
    mkdirSync(account)
    writeFileSync(join(account, 'ca.crt'), readFileSync(join(folder, 'ca.crt')))
    return {
      api,
      namespace: NAMESPACE,
      kubeconfig: join(folder, 'admin.kubeconfig'),
      environment: async () => {
        // client-node, which reads a kubeconfig, is 65 MB that no pod has.
        const { KUBECONFIG = '', ...given } = await environment(server)
        const { users } = JSON.parse(readFileSync(KUBECONFIG, 'utf8')) as { users: { user: { token: string } }[] }
        writeFileSync(join(account, 'token'), users[0]?.user.token ?? '')
        const { options, environment: pod } = podOptions()
        const source = 'operator/kit/kubeconfig.ts'
        const edit = { file: source, from: `= '${SERVICE_ACCOUNT}'`, to: `= '${account}'` }
        const { hostname, port } = new URL(server)
        return {
          ...given,
          ...pod,
          NODE_OPTIONS: `${options} ${toNodeOptions([edit], 0)}`,
          KUBERNETES_SERVICE_HOST: hostname,
          KUBERNETES_SERVICE_PORT: port,
        }
      },
      audit: { log: plane.audit, user },
      pids: plane.pids,
      close: async () => {
        await api.close()
        await plane.close()
      },
    }
  } catch (error) {
    await plane.close()
    throw error
  }
}

/** The API server of a kubeconfig's current context, as its user: a namespace is made there, and taken away. */
const givenGround = async (kubeconfig: string): Promise<Ground> => {
  const config = new KubeConfig()
  config.loadFromFile(kubeconfig)
  const options: { ca?: Buffer; cert?: Buffer; key?: Buffer; headers: Record<string, string> } = { headers: {} }
  await config.applyToHTTPSOptions(options)
  const { headers, ca, cert, key } = options
  const api = openApi(config.getCurrentCluster()?.server ?? '', { ca, cert, key }, headers, CONNECTIONS)
  const namespace = `${NAMESPACE}-${process.pid}`
  const crd = parse(readFileSync(join(CHECKOUT, CRD_FILE), 'utf8'))
  const { status } = await api.ask('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', crd)
  if (status !== 201 && status !== 409) throw new Error(`the CRD could not be made: ${status}`)
  const { options: nodeOptions, environment: pod } = podOptions()
  return {
    api,
    namespace,
    kubeconfig,
    environment: async () => ({
      ...pod,
      NODE_OPTIONS: nodeOptions,
      KUBECONFIG: kubeconfig,
      WATCH_NAMESPACES: namespace,
      POD_NAME: 'xray-operator-0',
      POD_NAMESPACE: namespace,
      PIPELINE_IMAGE: 'xrayiot:bench',
    }),
    audit: undefined,
    pids: () => ({}),
    close: async () => {
      const pipelines = `/apis/xrayiot.dev/v1alpha1/namespaces/${namespace}/xraypipelines`
      for (const { metadata } of await api.list(pipelines)) {
        // The operator has ended: nobody else takes its finalizer.
        const body = { metadata: { finalizers: null } }
        await api.ask('PATCH', `${pipelines}/${metadata.name}`, body, 'application/merge-patch+json')
      }
      await api.ask('DELETE', `/api/v1/namespaces/${namespace}`)
      await must('the namespace to be gone', 1_800_000, async () =>
        (await api.ask('GET', `/api/v1/namespaces/${namespace}`)).status === 404 ? true : undefined,
      )
      await api.close()
    },
  }
}

/** @param kubeconfig of an API server that is there; undefined: one of its own */
export const openGround = (kubeconfig: string | undefined): Promise<Ground> =>
  kubeconfig === undefined ? ownGround() : givenGround(kubeconfig)
