import { GROUP, PLURAL } from '#contract/pipeline.ts'
import { type Check, fine, wrong } from './check.ts'
import type { World } from './commands.ts'
import type { KubeObject } from './kube.ts'
import { isAllowed, type Permission, textOf } from './permission.ts'

type Deployment = KubeObject & {
  spec: { template: { spec: { serviceAccountName?: string } } }
  status?: { readyReplicas?: number; replicas?: number }
}
type Lease = KubeObject & { spec?: { holderIdentity?: string; renewTime?: string; leaseDurationSeconds?: number } }

const LABEL = encodeURIComponent('app.kubernetes.io/name=xray-operator')

/** What it does in the namespace of a pipeline; the whole list is in charts/xray-operator. */
const NEEDED: Permission[] = [
  { verb: 'watch', group: GROUP, resource: PLURAL, namespaced: true },
  { verb: 'patch', group: GROUP, resource: `${PLURAL}/status`, namespaced: true },
  { verb: 'patch', group: 'apps', resource: 'deployments', namespaced: true },
  { verb: 'create', group: '', resource: 'secrets', namespaced: true },
  { verb: 'get', group: '', resource: 'secrets', namespaced: true },
]

/** What the operator needs to look after a pipeline. */
export const operatorChecks = (world: World): Check[] => {
  const find = async (): Promise<Deployment | undefined> =>
    (await world.cluster().kube.list<Deployment>(`/apis/apps/v1/deployments?labelSelector=${LABEL}`, 'the Deployments'))
      .items[0]
  const namespace = world.settings.namespace.value
  return [
    {
      name: 'operator',
      needs: ['kubernetes', 'definition'],
      fix: 'xrayctl logs operator; without one: helm upgrade --install xray-operator charts/xray-operator -n xray-system --create-namespace',
      look: async () => {
        const deployment = await find()
        if (deployment === undefined) return wrong('no namespace has a Deployment of it')
        const home = deployment.metadata.namespace ?? ''
        const { readyReplicas = 0, replicas = 0 } = deployment.status ?? {}
        if (readyReplicas === 0) return wrong(`${home}/${deployment.metadata.name} has no ready pod of ${replicas}`)
        const path = `/apis/coordination.k8s.io/v1/namespaces/${home}/leases/${deployment.metadata.name}`
        const answer = await world.cluster().kube.ask(path, `the lease of ${home}/${deployment.metadata.name}`)
        const { holderIdentity, renewTime, leaseDurationSeconds = 15 } = ((await answer.json()) as Lease).spec ?? {}
        if (!holderIdentity) return wrong('none of its pods leads')
        // By the cluster's clock: this machine's may be off.
        const ageMs = Date.parse(answer.headers.get('date') ?? '') - Date.parse(renewTime ?? '')
        return ageMs <= leaseDurationSeconds * 1000
          ? fine(`${readyReplicas}/${replicas} ready in ${home}, ${holderIdentity} leads`)
          : wrong(`${holderIdentity} led, and has said nothing for ${Math.round(ageMs / 1000)} s`)
      },
    },
    {
      name: "the operator's permissions",
      needs: ['operator'],
      fix: `add ${namespace} to watchNamespaces in the values of charts/xray-operator, or leave them empty for all`,
      look: async () => {
        const deployment = await find()
        const account = deployment?.spec.template.spec.serviceAccountName ?? 'default'
        const user = `system:serviceaccount:${deployment?.metadata.namespace}:${account}`
        const allowed = await Promise.all(NEEDED.map((permission) => isAllowed(world.cluster(), permission, user)))
        const missing = NEEDED.filter((_, index) => allowed[index] !== true).map(textOf)
        return missing.length === 0
          ? fine(`${NEEDED.length} of ${NEEDED.length} in ${namespace}`)
          : wrong(`in ${namespace} it may not ${missing.join(', ')}`)
      },
    },
  ]
}
