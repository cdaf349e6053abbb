import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { KubeObject } from '#kit/client.ts'
import type { Resource } from '#kit/resource.ts'
import { kedaDefinitions } from '../../k8s/local/keda.ts'
import { MONITORS } from '../../operator/decide/monitors.ts'
import { must } from '../stand/condition.ts'
import { MERGE } from './api.ts'
import type { AuditEntry } from './audit.ts'
import { type ControlPlane, openControlPlane } from './control-plane.ts'
import { IMPATIENT } from './impatience.ts'
import { type Installation, install, type Rule } from './installation.ts'
import { openSite, type Site } from './site.ts'
import { openVictims } from './victims.ts'

let plane: ControlPlane
beforeAll(async () => {
  plane = await openControlPlane()
  for (const resource of Object.values(MONITORS)) await plane.api.call('POST', CRDS, definitionOf(resource))
  for (const definition of await kedaDefinitions()) await plane.api.call('POST', CRDS, definition)
})
afterAll(() => plane?.close())

const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
/** A kind of the Prometheus operator, as far as access to it goes. */
const definitionOf = ({ group, version, plural, kind }: Resource) => ({
  metadata: { name: `${plural}.${group}` },
  spec: {
    group,
    scope: 'Namespaced',
    names: { plural, singular: kind.toLowerCase(), kind },
    versions: [
      {
        name: version,
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
})

/** What is granted although the audit log cannot show it, and why. */
const UNSEEN: Record<string, string> = {
  'update xraypipelines/finalizers':
    'where the admission plugin OwnerReferencesPermissionEnforcement is on, an owner reference that blocks deletion needs it',
}

const permissionsOf = (rules: readonly Rule[]): string[] => [
  ...new Set(rules.flatMap(({ resources, verbs }) => resources.flatMap((of) => verbs.map((verb) => `${verb} ${of}`)))),
]

/** The permissions that a request needs: server-side apply of what is not there needs that to create, too. */
const usedBy = ({ verb, resource, subresource, code }: AuditEntry): string[] => {
  if (resource === '') return []
  const target = subresource === '' ? resource : `${resource}/${subresource}`
  return verb === 'patch' && code === 201 ? [`patch ${target}`, `create ${target}`] : [`${verb} ${target}`]
}

/** A signals pod is told to go, and goes. */
const scaleIn = async (site: Site): Promise<void> => {
  const victims = openVictims(plane.api, site.namespace)
  try {
    for (const replicas of [2, 1]) {
      await site.change({ signals: { replicas, scaling: { provider: 'None' } } })
      victims.finish()
      await must(`${replicas} signals pods`, 90_000, async () =>
        Object.keys(await victims.told()).length === replicas ? true : undefined,
      )
    }
    await site.condition('Ready', 'True')
  } finally {
    await victims.close()
  }
}

/** A roll-out hangs, which an event tells, and is put right. */
const crash = async (site: Site): Promise<void> => {
  for (const image of ['xrayiot:crashes', '']) {
    await site.change({ image })
    await site.condition('Ready', image === '' ? 'True' : 'False', image === '' ? 'AllReady' : 'CrashLoopBackOff')
  }
}

/** Everything that an operator does in the life of a pipeline, but for its end. */
const live = async (site: Site): Promise<void> => {
  await site.create()
  await site.condition('Ready', 'True')
  await plane.api.call('DELETE', `/apis/apps/v1/namespaces/${site.namespace}/deployments/${site.namespace}-api`)
  // A second replica brings a disruption budget, and the first alone has none; another rate brings other settings.
  await site.change({ producer: { replicas: 2, rateLimit: { perDevicePerMinute: 9 } } })
  await site.condition('Ready', 'True')
  await site.change({ producer: { replicas: 1 } })
  await site.condition('Ready', 'True')
  await scaleIn(site)
  await site.change({ monitoring: { serviceMonitor: true, prometheusRule: true } })
  await site.condition('MonitoringReady', 'True')
  await site.change({ monitoring: null })
  await must('the monitors to be removed', 60_000, async () =>
    (await site.objects('servicemonitors')).length + (await site.objects('prometheusrules')).length === 0
      ? true
      : undefined,
  )
  await site.change({ signals: { replicas: null, scaling: { provider: 'KEDA' } } })
  await site.condition('ScalingActive', 'Unknown', 'KedaPending')
  await site.change({ signals: { scaling: { provider: 'Native' } } })
  await must('the ScaledObject and its credentials to be removed', 60_000, async () =>
    (await site.objects('scaledobjects')).length + (await site.objects('triggerauthentications')).length === 0
      ? true
      : undefined,
  )
  await crash(site)
  await must('the former settings and the disruption budget to be removed', 60_000, async () => {
    const settings = await site.objects('configmaps')
    const ours = settings.filter(({ metadata }) => metadata.name.startsWith(site.namespace))
    return ours.length === 3 && (await site.objects('poddisruptionbudgets')).length === 0 ? true : undefined
  })
}

describe.each([
  ['in the namespaces that it watches', 'rbac-few', ['watchNamespaces={rbac-few}']],
  ['in the whole cluster', 'rbac-all', [] as string[]],
])('%s', (_, namespace, values) => {
  let installation: Installation
  let entries: AuditEntry[]
  beforeAll(async () => {
    const site = await openSite(plane.api, namespace, (image) => (image === 'xrayiot:crashes' ? { ends: 1 } : 'serves'))
    try {
      installation = await install(plane, values)
      // The first operator of all makes the lease.
      await plane.api.ask('DELETE', '/apis/coordination.k8s.io/v1/namespaces/xray-system/leases/xray-operator')
      const mark = plane.audit.mark()
      const during = async (run: () => Promise<void>): Promise<void> => {
        const operator = await installation.start({ PIPELINE_IMAGE: 'xrayiot:good' }, IMPATIENT)
        try {
          await run()
        } finally {
          await operator.stop()
        }
      }
      await during(() => live(site))
      await during(async () => {
        // What happens again has its event already, of a process that is no more: that is read, and counts on.
        await crash(site)
        await site.remove()
      })
      entries = plane.audit.since(mark).filter(({ user }) => user === installation.user)
    } finally {
      await site.close()
    }
  })

  it('the operator asks for nothing that it is not granted', () => {
    expect(entries.length).toBeGreaterThan(100)
    const granted = permissionsOf(installation.rules)
    const used = [...new Set(entries.flatMap(usedBy))]
    expect(used.filter((permission) => !granted.includes(permission))).toEqual([])
    expect(entries.filter(({ code }) => code === 403)).toEqual([])
  })
  const unusedOf = (rules: readonly Rule[]): string[] => {
    const used = new Set(entries.flatMap(usedBy))
    return permissionsOf(rules)
      .filter((permission) => !used.has(permission))
      .sort()
  }
  it('and is granted nothing that it does not ask for', () => {
    expect(unusedOf(installation.rules)).toEqual(Object.keys(UNSEEN).sort())
  })
  it('control: a right too many is found', () => {
    const more: Rule = { apiGroups: [''], resources: ['secrets'], verbs: ['list'] }
    expect(unusedOf([...installation.rules, more])).toContain('list secrets')
  })
  it('every rule names what it grants', () => {
    for (const { apiGroups, resources, verbs } of installation.rules)
      expect([...apiGroups, ...resources, ...verbs].filter((word) => word.includes('*'))).toEqual([])
  })
  it('Secrets are read by name and never listed', () => {
    const secrets = entries.filter(({ resource }) => resource === 'secrets')
    expect(
      secrets.filter(({ verb, name }) => verb === 'list' || verb === 'watch' || (verb === 'get' && name === '')),
    ).toEqual([])
  })
})

describe('an operator without rights over monitors', () => {
  it('says so, and everything else of the pipeline is done', async () => {
    const installation = await install(plane, [], 'rbac-unmonitored')
    const role = '/apis/rbac.authorization.k8s.io/v1/clusterroles/xray-operator'
    const whole = await plane.api.call<KubeObject & { rules: Rule[] }>('GET', role)
    const rules = whole.rules.filter(({ apiGroups }) => !apiGroups.includes('monitoring.coreos.com'))
    await plane.api.call('PATCH', role, { rules }, MERGE)
    const operator = await installation.start({ PIPELINE_IMAGE: 'xrayiot:good' }, IMPATIENT)
    const site = await openSite(plane.api, 'unmonitored', () => 'serves')
    try {
      await site.create({ monitoring: { serviceMonitor: true, prometheusRule: true } })
      expect(await site.condition('MonitoringReady', 'False', 'MonitoringForbidden')).toContain('ServiceMonitor')
      await site.condition('Ready', 'True')
      const mark = plane.audit.mark()
      await site.change({ monitoring: null })
      await must('the condition to go', 60_000, async () => {
        const { conditions, observedGeneration } = await site.status()
        return observedGeneration > 1 && !conditions?.some(({ type }) => type === 'MonitoringReady') ? true : undefined
      })
      const refused = plane.audit.since(mark).filter(({ user, code }) => user === installation.user && code === 403)
      expect(refused.filter(({ verb }) => verb !== 'list')).toEqual([])
    } finally {
      await operator.stop()
      await site.close()
      await plane.api.call('PATCH', role, { rules: whole.rules }, MERGE)
    }
  })
})
