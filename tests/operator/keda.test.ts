import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { KubeObject } from '#kit/client.ts'
import { kedaDefinitions } from '../../k8s/local/keda.ts'
import type { Edit } from '../faults/sabotage.ts'
import { toNodeOptions } from '../faults/sabotage.ts'
import { must } from '../stand/condition.ts'
import { MERGE } from './api.ts'
import { WRITES } from './audit.ts'
import { type ControlPlane, openControlPlane } from './control-plane.ts'
import { CONTROLS } from './controls.ts'
import { IMPATIENT } from './impatience.ts'
import { type Installation, install } from './installation.ts'
import { openSite, type Site } from './site.ts'

/** KEDA's own CRDs; what KEDA's operator and the HPA controller do, the tests do. */
const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
const KEDA_LIMIT_MS = 30_000

let plane: ControlPlane
const installKeda = async (): Promise<void> => {
  for (const definition of await kedaDefinitions()) await plane.api.call('POST', CRDS, definition)
}
beforeAll(async () => {
  plane = await openControlPlane()
})
afterAll(() => plane?.close())

/** Runs on a site with an operator of its own. */
const withSite = async (
  name: string,
  run: (site: Site, by: Installation, restart: () => Promise<void>) => Promise<void>,
  edits: readonly Edit[] = [],
) => {
  const site = await openSite(plane.api, name, () => 'serves')
  try {
    const installation = await install(plane, [`watchNamespaces={${name}}`], name)
    const options = edits.length === 0 ? IMPATIENT : `${IMPATIENT} ${toNodeOptions(edits, 1)}`
    const start = () => installation.start({ PIPELINE_IMAGE: 'xrayiot:good' }, options)
    let operator = await start()
    const restart = async (): Promise<void> => {
      await operator.stop()
      operator = await start()
    }
    try {
      await run(site, installation, restart)
    } finally {
      await operator.stop()
    }
  } finally {
    await site.close()
  }
}

/** Once it has grown, it stays as it is, whoever decides. */
const scaling = (provider: string) => ({
  provider,
  pollingInterval: 1,
  cooldownPeriod: 5,
  behavior: { scaleDown: { selectPolicy: 'Disabled' } },
})
const to = (site: Site, provider: string): Promise<void> => site.change({ signals: { scaling: { provider } } })

const signals = ({ namespace }: Site) => `/apis/apps/v1/namespaces/${namespace}/deployments/${namespace}-signals`
const count = async (site: Site): Promise<number> =>
  ((await plane.api.call('GET', signals(site))).spec as { replicas: number }).replicas
/** Sets the number as the HPA controller does. */
const scaleAsHpa = (site: Site, replicas: number) =>
  plane.api.call('PATCH', `${signals(site)}/scale?fieldManager=kube-controller-manager`, { spec: { replicas } }, MERGE)

const scaledObject = ({ namespace }: Site) =>
  `/apis/keda.sh/v1alpha1/namespaces/${namespace}/scaledobjects/${namespace}`
const made = (site: Site): Promise<KubeObject> =>
  must('the ScaledObject', KEDA_LIMIT_MS, async () => {
    const { status, body } = await plane.api.ask('GET', scaledObject(site))
    return status === 200 ? body : undefined
  })
/** Says what KEDA's operator says. */
const say = (site: Site, status: object) => plane.api.call('PATCH', `${scaledObject(site)}/status`, { status }, MERGE)
const condition = (type: string, status: string, message = '') => ({ type, status, reason: 'ScaledObject', message })
const ready = { conditions: [condition('Ready', 'True'), condition('Active', 'True'), condition('Fallback', 'False')] }

it('says that KEDA is missing, and goes on by itself when it comes, also when it was there before', () =>
  withSite('missing', async (site) => {
    await site.create({ signals: { scaling: scaling('KEDA') } })
    await site.condition('Ready', 'True')
    expect(await site.condition('ScalingActive', 'False', 'KedaMissing')).toContain('the cluster has no KEDA')
    expect(await count(site)).toBe(1)
    await installKeda()
    await made(site)
    await must(
      'it to be told that no KEDA has seen it',
      60_000,
      async () =>
        (await site.condition('ScalingActive', 'Unknown', 'KedaPending')).includes('is its operator up?') || undefined,
    )
    expect(await site.condition('ProviderUnsupportedFields', 'True')).toContain('slo: ')
    const [credentials] = await site.objects('triggerauthentications')
    for (const object of [credentials, await made(site)])
      expect(object?.metadata.ownerReferences).toMatchObject([{ kind: 'XRayPipeline', name: 'missing' }])

    const definition = `${CRDS}/scaledobjects.keda.sh`
    await plane.api.call('DELETE', definition)
    await site.condition('ScalingActive', 'False', 'KedaMissing')
    await must('the definition to be gone', KEDA_LIMIT_MS, async () =>
      (await plane.api.ask('GET', definition)).status === 404 ? true : undefined,
    )
    for (const found of await kedaDefinitions())
      if (definition.endsWith(found.metadata.name)) await plane.api.call('POST', CRDS, found)
    await made(site)
  }))

/** What an operator that takes over a pipeline that is left to KEDA writes, and the status before and after. */
const takenOver = async (name: string, edits: readonly Edit[]) => {
  let seen: { written: string[]; statuses: unknown[] } | undefined
  await withSite(
    name,
    async (site, { user }, restart) => {
      await site.create({ signals: { scaling: scaling('KEDA') } })
      await made(site)
      await say(site, ready)
      await site.condition('ScalingActive', 'True', 'LeftToKeda')
      // The broker tells of a new queue some seconds late.
      await must('the backlog to be known', 60_000, async () => (await site.status()).backlog)
      const writesSince = (mark: number) =>
        plane.audit
          .since(mark)
          // That keys which are there are made is refused.
          .filter(({ user: by, verb, code }) => by === user && WRITES.includes(verb) && code < 400)
          .filter(({ resource }) => resource !== 'leases')
      await must('an operator that has nothing to write', 40_000, async () => {
        const mark = plane.audit.mark()
        await delay(2_000)
        return writesSince(mark).length === 0 ? true : undefined
      })
      const before = await site.status()
      const mark = plane.audit.mark()
      await restart()
      await must('the new operator to follow ScaledObjects', 60_000, async () => {
        const entries = plane.audit.since(mark).filter(({ user: by }) => by === user)
        return entries.some(({ verb, resource }) => verb === 'watch' && resource === 'scaledobjects') || undefined
      })
      await delay(3_000) // three of the pipeline's reconciles
      const written = writesSince(mark).map(({ verb, resource, name: object }) => `${verb} ${resource}/${object}`)
      seen = { written, statuses: [before, await site.status()] }
    },
    edits,
  )
  return seen
}

describe('a pipeline that is left to KEDA', () => {
  it('shows what KEDA says, is scaled by KEDA alone, and keeps its pods when the provider changes', () =>
    withSite('left', async (site, { user }) => {
      await site.create({ signals: { scaling: scaling('KEDA') } })
      await made(site)
      await say(site, ready)
      expect(await site.condition('ScalingActive', 'True', 'LeftToKeda')).toContain('a trigger is active')
      await scaleAsHpa(site, 7)
      await site.condition('Ready', 'True')

      // Another template is rolled out, and the number stays.
      await site.change({ signals: { batch: { size: 100 } } })
      await site.condition('Ready', 'True')
      expect(await count(site)).toBe(7)

      // KEDA writes at each of its looks; that is nothing to write about.
      await site.condition('ScalingActive', 'True', 'LeftToKeda')
      let second = 10
      await must('an operator that writes nothing while KEDA does', 90_000, async () => {
        const mark = plane.audit.mark()
        for (const until = second + 5; second < until; second++) {
          await say(site, { lastActiveTime: `2026-01-01T00:00:${second}Z` })
          await delay(400)
        }
        const entries = plane.audit.since(mark).filter(({ user: by, resource }) => by === user && resource !== 'leases')
        return entries.some(({ verb }) => WRITES.includes(verb)) ? undefined : true
      })

      await say(site, { conditions: [condition('Ready', 'True'), condition('Fallback', 'True', 'no such host')] })
      expect(await site.condition('ScalingActive', 'True', 'Fallback')).toContain('no such host')
      await say(site, { conditions: [condition('Ready', 'False', 'bad trigger')] })
      expect(await site.condition('ScalingActive', 'False', 'KedaNotReady')).toContain('bad trigger')

      // KEDA takes its finalizer off when it has stopped scaling; until then nobody else begins.
      await plane.api.call('PATCH', scaledObject(site), { metadata: { finalizers: ['finalizer.keda.sh'] } }, MERGE)
      await to(site, 'Native')
      await site.condition('ScalingActive', 'False', 'KedaLeaving')
      await scaleAsHpa(site, 8)
      await site.condition('Ready', 'True')
      expect(await count(site)).toBe(8)
      await plane.api.call('PATCH', scaledObject(site), { metadata: { finalizers: null } }, MERGE)
      await site.condition('ScalingActive', 'True')
      expect([await count(site), (await site.objects('triggerauthentications')).length]).toEqual([8, 0])
      await site.change({ signals: { scaling: { minReplicaCount: 9 } } })
      await must('the number of the spec', 60_000, async () => ((await count(site)) === 9 ? true : undefined))

      for (const provider of ['KEDA', 'None', 'KEDA', 'Native']) {
        const before = await count(site)
        await to(site, provider)
        await must(`the ScaledObject for ${provider}`, 60_000, async () =>
          (await site.objects('scaledobjects')).length === (provider === 'KEDA' ? 1 : 0) ? true : undefined,
        )
        await site.condition('Ready', 'True')
        expect([provider, await count(site)]).toEqual([provider, before])
      }
    }))

  it('is not written to by an operator that has just started', async () => {
    const seen = await takenOver('restarts', [])
    expect(seen?.statuses[1]).toEqual(seen?.statuses[0])
    expect(seen?.written).toEqual([])
  })
  it('control: by one that forgets who scales it is', async () =>
    expect((await takenOver('forgets', CONTROLS['forgets-who-scales'].edits))?.written).not.toEqual([]))

  it('control: without another owner for it the number is lost', () =>
    withSite(
      'lost',
      async (site) => {
        await site.create({ signals: { scaling: { ...scaling('Native'), minReplicaCount: 4 } } })
        await must('four pods', 60_000, async () => ((await count(site)) === 4 ? true : undefined))
        await to(site, 'KEDA')
        await must('the number to be lost', 60_000, async () => ((await count(site)) === 1 ? true : undefined))
      },
      CONTROLS['number-left-to-nobody'].edits,
    ))
})

describe('a trigger that is pasted out of a ScaledObject', () => {
  const own = { mode: 'QueueLength', value: '20', queueName: 'xray.raw.q', vhostName: '/' }
  const asked = { serverAddress: 'http://127.0.0.1:1', query: 'up', threshold: '1' }
  const create = (triggers: object[]) =>
    plane.api.ask(
      'POST',
      '/apis/xrayiot.dev/v1alpha1/namespaces/default/xraypipelines?dryRun=All&fieldValidation=Strict',
      {
        apiVersion: 'xrayiot.dev/v1alpha1',
        kind: 'XRayPipeline',
        metadata: { name: 'pasted' },
        spec: { signals: { scaling: { triggers } } },
      },
    )
  it.each<[string, object, number]>([
    ["of the pipeline's own queue is taken", { type: 'rabbitmq', metadata: own }, 201],
    ['of another queue is not', { type: 'rabbitmq', metadata: { ...own, queueName: 'other' } }, 422],
    ['of another virtual host is not', { type: 'rabbitmq', metadata: { ...own, vhostName: 'other' } }, 422],
    [
      'with credentials of its own for the queue is not',
      { type: 'rabbitmq', metadata: own, authenticationRef: { name: 'x' } },
      422,
    ],
    [
      'of Prometheus is taken',
      { type: 'prometheus', metadata: { ...asked, authModes: 'bearer' }, authenticationRef: { name: 'x' } },
      201,
    ],
    [
      'without the credentials that it needs is not',
      { type: 'prometheus', metadata: { ...asked, authModes: 'bearer' } },
      422,
    ],
    [
      'with those of a TriggerAuthentication is not',
      { type: 'prometheus', metadata: asked, authenticationRef: { name: 'x', kind: 'TriggerAuthentication' } },
      422,
    ],
  ])('%s', async (_, trigger, expected) => {
    const { status, body } = await create([trigger])
    expect([status, body.message ?? '']).toEqual([expected, expect.any(String)])
  })

  it('says in the status why it cannot be read, and goes on when it can', () =>
    withSite('reads', async (site) => {
      const trigger = {
        type: 'prometheus',
        name: 'lag',
        metadata: { ...asked, authModes: 'bearer' },
        authenticationRef: { name: 'prom' },
      }
      await site.create({ signals: { scaling: { ...scaling('Native'), triggers: [trigger] } } })
      const told = (text: string) =>
        must(
          text,
          20_000,
          async () => (await site.condition('ScalingActive', 'False', 'BacklogUnknown')).includes(text) || undefined,
        )
      await told('lag: SecretMissing, the Secret reads/prom is not there')
      const secrets = '/api/v1/namespaces/reads/secrets'
      await plane.api.call('POST', secrets, { metadata: { name: 'prom' }, stringData: { bearerToken: 't' } })
      await told('lag: NoAnswer, the server does not answer: ECONNREFUSED')
    }))
})

describe("while another's scaler is there", () => {
  const scaleTargetRef = (site: Site) => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    name: `${site.namespace}-signals`,
  })
  it.each<[string, string, string, (site: Site) => object]>([
    ['HPA', 'hpa', 'horizontalpodautoscalers', (site) => ({ scaleTargetRef: scaleTargetRef(site), maxReplicas: 9 })],
    [
      'ScaledObject',
      'so',
      'scaledobjects',
      (site) => ({ scaleTargetRef: scaleTargetRef(site), triggers: [{ type: 'cron', metadata: {} }] }),
    ],
  ])('an %s, it is named, and no number is written', (_, name, plural, specOf) =>
    withSite(`by-${name}`, async (site) => {
      await site.create({ signals: { scaling: scaling('Native') } })
      await site.condition('ScalingActive', 'True')
      const base = plural === 'scaledobjects' ? '/apis/keda.sh/v1alpha1' : '/apis/autoscaling/v2'
      const path = `${base}/namespaces/${site.namespace}/${plural}`
      await plane.api.call('POST', path, {
        apiVersion: base.slice('/apis/'.length),
        kind: plural === 'scaledobjects' ? 'ScaledObject' : 'HorizontalPodAutoscaler',
        metadata: { name: 'foreign' },
        spec: specOf(site),
      })
      expect(await site.condition('ScalingActive', 'False', 'Conflict')).toContain(' foreign scales the same pods')
      await must(
        'an event that names it',
        60_000,
        async () =>
          (await site.objects('events')).some(({ reason, type }) => reason === 'Conflict' && type === 'Warning') ||
          undefined,
      )
      await scaleAsHpa(site, 2)
      await site.change({ signals: { scaling: { minReplicaCount: 4 } } })
      await site.condition('ScalingActive', 'False', 'Conflict')
      await site.condition('Ready', 'True')
      expect(await count(site)).toBe(2)
      await plane.api.call('DELETE', `${path}/foreign`)
      await site.condition('ScalingActive', 'True')
      await must('the number of the spec', 60_000, async () => ((await count(site)) === 4 ? true : undefined))
    }),
  )
})
