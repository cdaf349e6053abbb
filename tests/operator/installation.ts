import { spawnSync } from 'node:child_process'
import { parseAllDocuments } from 'yaml'
import { CHECKOUT } from '../../k8s/local/paths.ts'
import { binary, ensureTool } from '../../k8s/local/tools.ts'
import type { KubeObject } from '../../operator/kit/client.ts'
import type { ControlPlane } from './control-plane.ts'
import { type Operator, startOperator } from './operator-process.ts'

export type Rule = { apiGroups: string[]; resources: string[]; verbs: string[]; resourceNames?: string[] }

/** The operator's chart on a light control plane. */
export type Installation = {
  user: string
  /** Every rule that the chart grants the operator. */
  rules: Rule[]
  /** The environment of an operator that reaches the API server at an address. */
  environment: (server: string) => Promise<Record<string, string>>
  /** Starts an operator and waits until it leads. @param env in place of what the chart gives */
  start: (env?: Record<string, string>, nodeOptions?: string) => Promise<Operator>
  /** Starts an operator beside others and waits until it is ready, leading or not. */
  join: (env: Record<string, string>) => Promise<Operator>
}

const SYSTEM = 'xray-system'
const NAME = 'xray-operator'
const RBAC = '/apis/rbac.authorization.k8s.io/v1'

const render = (namespace: string, values: string[]): KubeObject[] => {
  const { status, stdout, stderr } = spawnSync(
    binary('helm', 'helm'),
    ['template', NAME, `${CHECKOUT}/charts/xray-operator`, '--namespace', namespace, '--kube-version=v1.36.3'].concat(
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

const collectionOf = ({ kind, metadata }: KubeObject, home: string): string => {
  const namespace = metadata.namespace ?? home
  switch (kind) {
    case 'ServiceAccount':
      return `/api/v1/namespaces/${namespace}/serviceaccounts`
    case 'Role':
    case 'RoleBinding':
      return `${RBAC}/namespaces/${namespace}/${kind.toLowerCase()}s`
    case 'FlowSchema':
      return '/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas'
    default:
      return `${RBAC}/${kind.toLowerCase()}s`
  }
}

type Deployment = {
  spec: { template: { spec: { containers: [{ env: { name: string; value?: string }[] }] } } }
}

/** What the chart sets; the pod's own name and namespace are filled in as the kubelet would. */
const environmentOf = (objects: readonly KubeObject[], namespace: string): Record<string, string> => {
  const [deployment] = objects.filter(({ kind }) => kind === 'Deployment') as unknown as [Deployment]
  const given = deployment.spec.template.spec.containers[0].env.map(({ name, value = '' }) => [name, value])
  return { ...Object.fromEntries(given), POD_NAME: `${NAME}-0`, POD_NAMESPACE: namespace }
}

/**
 * Creates what of the chart concerns access, in the operator's namespace.
 * @param values of the chart, as `--set` has them
 */
export const install = async (
  { api, kubeconfigOf, server }: ControlPlane,
  values: string[],
  namespace = SYSTEM,
): Promise<Installation> => {
  await ensureTool('helm')
  const objects = render(namespace, values)
  await api.ask('POST', '/api/v1/namespaces', { metadata: { name: namespace } })
  const access = objects.filter(({ kind }) => /^(ServiceAccount|FlowSchema|(Cluster)?Role(Binding)?)$/.test(kind))
  for (const object of access)
    await api.call(
      'PATCH',
      `${collectionOf(object, namespace)}/${object.metadata.name}?fieldManager=helm&force=true`,
      object,
      'application/apply-patch+yaml',
    )
  const bound = new Set(
    access
      .filter((object) => object.kind.endsWith('Binding'))
      .map(({ metadata, roleRef }) => `${metadata.namespace ?? ''}/${(roleRef as { name: string }).name}`),
  )
  const granted = access.filter(
    ({ kind, metadata }) => /Role$/.test(kind) && bound.has(`${metadata.namespace ?? ''}/${metadata.name}`),
  )
  const environment = async (to: string): Promise<Record<string, string>> => {
    const { status } = await api.call<{ status: { token: string } }>(
      'POST',
      `/api/v1/namespaces/${namespace}/serviceaccounts/${NAME}/token`,
      { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} },
    )
    const kubeconfig = kubeconfigOf(`${namespace}-${new URL(to).port}`, to, status.token)
    return { ...environmentOf(objects, namespace), KUBECONFIG: kubeconfig }
  }
  return {
    user: `system:serviceaccount:${namespace}:${NAME}`,
    rules: granted.flatMap(({ rules }) => rules as Rule[]),
    environment,
    start: async (env = {}, nodeOptions = '') => {
      const operator = await startOperator({ ...(await environment(server)), NODE_OPTIONS: nodeOptions, ...env })
      await operator.leads()
      return operator
    },
    join: async (env) => {
      const operator = await startOperator({ ...(await environment(server)), ...env })
      await operator.serves()
      return operator
    },
  }
}
