import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { parseAllDocuments } from 'yaml'
import { CHECKOUT } from '../../k8s/local/paths.ts'
import { binary, ensureTool } from '../../k8s/local/tools.ts'
import type { KubeObject } from '../../operator/kit/client.ts'
import { must } from '../stand/condition.ts'
import { freePort } from '../stand/service-process.ts'
import type { ControlPlane } from './control-plane.ts'

export type Rule = { apiGroups: string[]; resources: string[]; verbs: string[]; resourceNames?: string[] }

/** A running operator, started from this checkout by whom the chart says, with the environment that the chart gives. It is ready, leading or not. */
export type Operator = {
  log: () => string[]
  /** Its metrics, as text. */
  metrics: () => Promise<string>
  leads: () => Promise<boolean>
  stop: () => Promise<void>
  /** Ends it without a chance to say so. */
  kill: () => Promise<void>
}

/** The operator's chart on a light control plane. */
export type Installation = {
  user: string
  /** Every rule that the chart grants the operator. */
  rules: Rule[]
  /** @param env in place of what the chart gives; @param nodeOptions of the process */
  start: (env?: Record<string, string>, nodeOptions?: string) => Promise<Operator>
}

const NAMESPACE = 'xray-system'
const NAME = 'xray-operator'
const RBAC = '/apis/rbac.authorization.k8s.io/v1'

const render = (values: string[]): KubeObject[] => {
  const { status, stdout, stderr } = spawnSync(
    binary('helm', 'helm'),
    ['template', NAME, `${CHECKOUT}/charts/xray-operator`, '--namespace', NAMESPACE, '--kube-version=v1.36.3'].concat(
      '--set',
      'crds.enabled=false',
      ...values.flatMap((value) => ['--set', value]),
    ),
    { encoding: 'utf8' },
  )
  if (status !== 0) throw new Error(stderr)
  return parseAllDocuments(stdout).flatMap((document) =>
    document.toJS() === null ? [] : [document.toJS() as KubeObject],
  )
}

const collectionOf = ({ kind, metadata }: KubeObject): string => {
  const namespace = metadata.namespace ?? NAMESPACE
  switch (kind) {
    case 'ServiceAccount':
      return `/api/v1/namespaces/${namespace}/serviceaccounts`
    case 'Role':
    case 'RoleBinding':
      return `${RBAC}/namespaces/${namespace}/${kind.toLowerCase()}s`
    default:
      return `${RBAC}/${kind.toLowerCase()}s`
  }
}

type Deployment = {
  spec: { template: { spec: { containers: [{ env: { name: string; value?: string }[] }] } } }
}

/** What the chart sets; the pod's own name and namespace are filled in as the kubelet would. */
const environmentOf = (objects: readonly KubeObject[]): Record<string, string> => {
  const [deployment] = objects.filter(({ kind }) => kind === 'Deployment') as unknown as [Deployment]
  const given = deployment.spec.template.spec.containers[0].env.map(({ name, value = '' }) => [name, value])
  return { ...Object.fromEntries(given), POD_NAME: `${NAME}-0`, POD_NAMESPACE: NAMESPACE }
}

const startOperator = async (env: Record<string, string>): Promise<Operator> => {
  const port = await freePort()
  const child = spawn(process.execPath, ['operator/main.ts'], {
    cwd: CHECKOUT,
    env: { PATH: process.env.PATH, ...env, METRICS_PORT: String(port) },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const lines: string[] = []
  for (const stream of [child.stdout, child.stderr])
    createInterface({ input: stream }).on('line', (line) => lines.push(line))
  const ended = once(child, 'exit')
  const probe = (path: string) => fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(2_000) })
  const metrics = async () => (await probe('/metrics')).text()
  const operator: Operator = {
    log: () => lines,
    metrics,
    leads: async () => /leader_election_master_status\{[^}]*\} 1/.test(await metrics()),
    kill: async () => {
      child.kill('SIGKILL')
      await ended
    },
    stop: async () => {
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), 20_000)
      await ended.finally(() => clearTimeout(timer))
    },
  }
  await must('the operator to be ready', 60_000, async () => ((await probe('/readyz')).ok ? true : undefined)).catch(
    async (error: Error) => {
      await operator.stop()
      throw new Error(`${error.message}; its log ends: ${lines.slice(-5).join('\n')}`)
    },
  )
  return operator
}

/** Creates what of the chart concerns access, and the operator's namespace. @param values of the chart, as `--set` has them */
export const install = async ({ api, kubeconfigOf, server }: ControlPlane, values: string[]): Promise<Installation> => {
  await ensureTool('helm')
  const objects = render(values)
  await api.ask('POST', '/api/v1/namespaces', { metadata: { name: NAMESPACE } })
  const access = objects.filter(({ kind }) => /^(ServiceAccount|(Cluster)?Role(Binding)?)$/.test(kind))
  for (const object of access) {
    await api.ask('DELETE', `${collectionOf(object)}/${object.metadata.name}`)
    await api.call('POST', collectionOf(object), object)
  }
  const bound = new Set(
    access
      .filter((object) => object.kind.endsWith('Binding'))
      .map(({ metadata, roleRef }) => `${metadata.namespace ?? ''}/${(roleRef as { name: string }).name}`),
  )
  const granted = access.filter(
    ({ kind, metadata }) => /Role$/.test(kind) && bound.has(`${metadata.namespace ?? ''}/${metadata.name}`),
  )
  return {
    user: `system:serviceaccount:${NAMESPACE}:${NAME}`,
    rules: granted.flatMap(({ rules }) => rules as Rule[]),
    start: async (env = {}, nodeOptions = '') => {
      const { status } = await api.call<{ status: { token: string } }>(
        'POST',
        `/api/v1/namespaces/${NAMESPACE}/serviceaccounts/${NAME}/token`,
        { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} },
      )
      const kubeconfig = kubeconfigOf('operator', server, status.token)
      return startOperator({ ...environmentOf(objects), KUBECONFIG: kubeconfig, NODE_OPTIONS: nodeOptions, ...env })
    },
  }
}
