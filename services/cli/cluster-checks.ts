import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { GROUP, PLURAL, VERSION } from '#contract/pipeline.ts'
import { type Check, fine, leftOut, odd, wrong } from './check.ts'
import type { World } from './commands.ts'
import { EXIT, type Failure } from './failure.ts'
import type { KubeObject } from './kube.ts'
import { isAllowed, type Permission, textOf } from './permission.ts'
import { isAtLeast } from './version.ts'

const LOWEST_NODE = '24'
const LOWEST_KUBERNETES = '1.29'
/** A device's request is refused when its clock is off by 300 s; half of it is what a machine may waste. */
const MAX_SKEW_MS = 150_000

const crdPath = (name: string): string => `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${name}`

type Crd = KubeObject & {
  spec: { versions: { name: string; served: boolean; schema: unknown }[] }
  status: { conditions?: { type: string; status: string }[] }
}

const sorted = (value: unknown): string =>
  JSON.stringify(value, (_, part) =>
    part !== null && typeof part === 'object' && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([one], [other]) => (one < other ? -1 : 1)))
      : part,
  )

let own: Crd | undefined
/** The definition that this checkout's chart installs; it is long, and read once. */
const ownCrd = (): Crd => {
  own ??= parse(
    readFileSync(join(import.meta.dirname, '../../charts/xray-operator/crd/xraypipelines.yaml'), 'utf8'),
  ) as Crd
  return own
}

/** A pod as one of ours, so that whatever refuses ours refuses it, too. */
const probe = (namespace: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { generateName: 'xrayctl-doctor-', namespace },
  spec: {
    automountServiceAccountToken: false,
    securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: 'RuntimeDefault' } },
    containers: [
      {
        name: 'probe',
        image: 'localhost/nothing:1',
        resources: { requests: { cpu: '50m', memory: '96Mi' }, limits: { memory: '256Mi' } },
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        },
      },
    ],
  },
})

const TO_INSTALL: Permission[] = [
  { verb: 'create', group: 'apiextensions.k8s.io', resource: 'customresourcedefinitions' },
  { verb: 'create', group: 'rbac.authorization.k8s.io', resource: 'clusterroles' },
  { verb: 'create', group: 'apps', resource: 'statefulsets', namespaced: true },
  { verb: 'create', group: '', resource: 'secrets', namespaced: true },
  { verb: 'create', group: GROUP, resource: PLURAL, namespaced: true },
]
const TO_LOOK_AFTER: Permission[] = [
  { verb: 'get', group: GROUP, resource: PLURAL, namespaced: true },
  { verb: 'patch', group: GROUP, resource: PLURAL, namespaced: true },
  { verb: 'list', group: '', resource: 'pods', namespaced: true },
  { verb: 'get', group: '', resource: 'pods/log', namespaced: true },
  { verb: 'get', group: '', resource: 'secrets', namespaced: true },
]

/** What a cluster must have for anything of ours to run on it. */
export const clusterChecks = (world: World, early: boolean): Check[] => {
  const cluster = () => world.cluster()
  const ofNamespace = (path: string): string => `/api/v1/namespaces/${world.settings.namespace.value}${path}`
  const namespace = world.settings.namespace.value
  return [
    {
      name: 'node',
      early: true,
      fix: 'run it as "npm run xrayctl --"',
      look: async () =>
        isAtLeast(world.nodeVersion, LOWEST_NODE)
          ? fine(world.nodeVersion)
          : wrong(`this is ${world.nodeVersion}, expected at least ${LOWEST_NODE}`),
    },
    {
      name: 'kubernetes',
      early: true,
      fix: 'run "npm start" for a local cluster, or set KUBECONFIG',
      look: async () => {
        const { gitVersion } = await cluster().kube.get<{ gitVersion: string }>(
          '/version',
          'the version of the cluster',
        )
        return isAtLeast(gitVersion, LOWEST_KUBERNETES)
          ? fine(`${gitVersion} at ${cluster().server}`)
          : wrong(`${gitVersion}, expected at least ${LOWEST_KUBERNETES}`)
      },
    },
    {
      name: 'clocks',
      early: true,
      needs: ['kubernetes'],
      fix: 'set the clock of this machine, or that of the control plane (timedatectl, chronyc tracking)',
      look: async () => {
        const { headers } = await cluster().kube.ask('/version', 'the time of the cluster')
        const skewMs = Math.abs(Date.parse(headers.get('date') ?? '') - world.now())
        const text = `this machine and the cluster are ${Math.round(skewMs / 1000)} s apart`
        return skewMs <= MAX_SKEW_MS ? fine(text) : wrong(`${text}; devices are refused beyond 300 s`)
      },
    },
    {
      name: 'permissions',
      early: true,
      needs: ['kubernetes'],
      fix: early
        ? 'ask for the role cluster-admin, or have an administrator install charts/xray-operator'
        : `kubectl create rolebinding xray-edit -n ${namespace} --clusterrole=edit --user=YOU`,
      look: async () => {
        const asked = early ? TO_INSTALL : TO_LOOK_AFTER
        const allowed = await Promise.all(asked.map((permission) => isAllowed(cluster(), permission)))
        const missing = asked.filter((_, index) => allowed[index] !== true).map(textOf)
        return missing.length === 0
          ? fine(`${asked.length} of ${asked.length} that are needed`)
          : wrong(`this kubeconfig may not ${missing.join(', ')}`)
      },
    },
    {
      name: 'storage',
      early: true,
      needs: ['kubernetes'],
      fix: 'make a StorageClass the default one (annotation storageclass.kubernetes.io/is-default-class=true), or set persistence.storageClass of the data charts',
      look: async () => {
        type Claim = KubeObject & { status?: { phase?: string } }
        const claims = (
          await cluster().kube.list<Claim>(ofNamespace('/persistentvolumeclaims'), `the volume claims of ${namespace}`)
        ).items
        const pending = claims.filter(({ status }) => status?.phase !== 'Bound').map(({ metadata }) => metadata.name)
        if (pending.length > 0) return wrong(`no volume for ${pending.join(', ')}`)
        const { items } = await cluster().kube.list('/apis/storage.k8s.io/v1/storageclasses', 'the StorageClasses')
        const usual = items.find(
          ({ metadata }) => metadata.annotations?.['storageclass.kubernetes.io/is-default-class'] === 'true',
        )
        if (usual !== undefined)
          return fine(
            `the default is ${usual.metadata.name}${claims.length === 0 ? '' : `, ${claims.length} volumes are bound`}`,
          )
        return claims.length > 0
          ? odd('no StorageClass is the default one; the volumes that there are are bound')
          : wrong('no StorageClass is the default one')
      },
    },
    {
      name: 'pod security',
      early: true,
      needs: ['kubernetes'],
      fix: `see what the namespace allows: kubectl describe namespace ${namespace}; kubectl get resourcequota,limitrange -n ${namespace}`,
      look: async () => {
        try {
          const answer = await cluster().kube.ask(ofNamespace('/pods?dryRun=All'), `a pod in ${namespace}`, {
            method: 'POST',
            body: probe(namespace),
          })
          const warning = answer.headers.get('warning')
          return warning === null ? fine(`${namespace} takes pods as ours are`) : odd(warning)
        } catch (error) {
          const { exit, message } = error as Failure
          // The namespace is not there, which before an installation is how it should be.
          if (exit === EXIT.notFound && early) return leftOut(`the namespace ${namespace} is not there yet`)
          if (
            exit === EXIT.denied &&
            /violates PodSecurity|exceeded quota|is forbidden: (maximum|minimum)/.test(message)
          )
            return wrong(message)
          throw error
        }
      },
    },
    {
      name: 'definition',
      early: true,
      needs: ['kubernetes'],
      fix: 'helm upgrade --install xray-operator charts/xray-operator -n xray-system --create-namespace',
      look: async () => {
        const name = `${PLURAL}.${GROUP}`
        const live = await cluster()
          .kube.get<Crd>(crdPath(name), `the definition ${name}`)
          .catch((error: Failure) => {
            if (early && error.exit === EXIT.notFound) return undefined
            throw error
          })
        if (live === undefined) return leftOut(`the definition ${name} is not there yet`)
        const version = live.spec.versions.find((one) => one.name === VERSION && one.served)
        if (version === undefined)
          return wrong(
            `${name} is served as ${live.spec.versions.map((one) => one.name).join(', ')}, expected ${VERSION}`,
          )
        if (live.status.conditions?.find(({ type }) => type === 'Established')?.status !== 'True')
          return wrong(`${name} is not established`)
        const wanted = ownCrd().spec.versions.find((one) => one.name === VERSION)
        return sorted(wanted?.schema) === sorted(version.schema)
          ? fine(`${name} ${VERSION}, as in this checkout`)
          : odd(`${name} ${VERSION} has other fields than this checkout's chart`)
      },
    },
  ]
}
