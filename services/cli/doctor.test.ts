import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { type Answer, collection, fakeKubeApi } from '../../tests/stand/kube-api.ts'
import { NOW, runXrayctl } from '../../tests/stand/xrayctl.ts'
import { type Check, examine, fine, type Result, wrong } from './check.ts'
import { serviceOf } from './endpoint.ts'
import { EXIT, Failure } from './failure.ts'
import { isAtLeast } from './version.ts'

const open = new Set<{ close: () => void }>()
afterEach(() => {
  for (const server of open) server.close()
  open.clear()
})

const check = (name: string, look: Check['look'], more: Partial<Check> = {}): Check => ({
  name,
  fix: 'mend it',
  look,
  ...more,
})
const states = (results: Result[]): string[] => results.map(({ name, state }) => `${name} ${state}`)

describe('a check', () => {
  it('is left out when one that it needs failed, or was left out itself', async () => {
    const checks = [
      check('one', async () => wrong('broken')),
      check('two', async () => fine(''), { needs: ['one'] }),
      check('three', async () => fine(''), { needs: ['two'] }),
      check('four', async () => fine('')),
    ]
    expect(states(await examine(checks, () => undefined))).toEqual([
      'one failed',
      'two skipped',
      'three skipped',
      'four ok',
    ])
  })

  it.each<[string, Error, string]>([
    ['a lack of permission leaves it out', new Failure(EXIT.denied, 'may not'), 'it skipped'],
    ['another failure is what is wrong', new Failure(EXIT.unreachable, 'away'), 'it failed'],
    ['so is whatever a library throws', new Error('ECONNREFUSED\n  at somewhere'), 'it failed'],
  ])('%s', async (_, error, state) => {
    const [result] = await examine([check('it', () => Promise.reject(error))], () => undefined)
    expect([`it ${result?.state}`, result?.detail]).toEqual([state, error.message.split('\n')[0]])
  })
})

it.each([
  ['v1.36.3', '1.29', true],
  ['v1.29.0-eks-1', '1.29', true],
  ['v1.9.9', '1.29', false],
  ['8', '8.0', true],
  ['', '1.0', false],
  ['4.3.6', '4.4', false],
  ['10.1', '9.2.3', true],
])('%s is at least %s: %s', (version, lowest, expected) => expect(isAtLeast(version, lowest)).toBe(expected))

it.each([
  ['xray-redis', { namespace: 'xray', name: 'xray-redis' }],
  ['xray-redis.data', { namespace: 'data', name: 'xray-redis' }],
  ['xray-redis.data.svc.cluster.local', { namespace: 'data', name: 'xray-redis' }],
  ['cache.example.com', undefined],
])('the host %s is the Service %j', (host, service) => expect(serviceOf(host, 'xray')).toEqual(service))

const CRD = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/xraypipelines.xrayiot.dev'
const REVIEW = 'POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews'
const notThere = { status: 404, message: 'not found' }
const dated =
  (body: object, atMs = NOW): Answer =>
  (response) =>
    response.writeHead(200, { date: new Date(atMs).toUTCString() }).end(JSON.stringify(body))
const usualClass = {
  metadata: { name: 'fast', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
}
const healthy: Record<string, Answer[]> = {
  'GET /version': [dated({ gitVersion: 'v1.36.3' })],
  [REVIEW]: [{ kind: 'Review', status: { allowed: true } } as object],
  'GET /api/v1/namespaces/xray/persistentvolumeclaims': [collection([])],
  'GET /apis/storage.k8s.io/v1/storageclasses': [collection([usualClass])],
  'POST /api/v1/namespaces/xray/pods': [{}],
  [`GET ${CRD}`]: [notThere],
}
const examined = async (planned: Record<string, Answer[]>) => {
  const api = await fakeKubeApi(planned)
  open.add(api)
  const { exit, out } = await runXrayctl(['doctor', '--pre', '-o', 'json'], api.url)
  const results = JSON.parse(out) as Result[]
  const of = (name: string) => results.find((result) => result.name === name)
  return { exit, results, of, seen: api.seen }
}

describe('doctor --pre', () => {
  it('finds nothing wrong with a cluster on which nothing of ours is', async () => {
    const { exit, results } = await examined(healthy)
    expect(exit).toBe(EXIT.ok)
    expect(states(results)).toEqual([
      'node ok',
      'kubernetes ok',
      'clocks ok',
      'permissions ok',
      'storage ok',
      'pod security ok',
      'definition skipped',
    ])
  })

  it('gives every check a way to mend what is wrong', async () =>
    expect((await examined(healthy)).results.filter(({ fix }) => fix === '')).toEqual([]))

  const crd = () => ({
    ...(parse(readFileSync('charts/xray-operator/crd/xraypipelines.yaml', 'utf8')) as {
      spec: { versions: { name: string; schema: object }[] }
    }),
    status: { conditions: [{ type: 'Established', status: 'True' }] },
  })
  it.each<[string, string, Record<string, Answer[]>, string, string]>([
    [
      'an old cluster',
      'kubernetes',
      { 'GET /version': [{ gitVersion: 'v1.28.9' }] },
      'failed',
      'expected at least 1.29',
    ],
    [
      'a clock that is off',
      'clocks',
      { 'GET /version': [dated({ gitVersion: 'v1.36.3' }, NOW + 200_000)] },
      'failed',
      '200 s apart',
    ],
    [
      'no right',
      'permissions',
      { [REVIEW]: [{ status: { allowed: false } }] },
      'failed',
      'create customresourcedefinitions',
    ],
    [
      'no default storage',
      'storage',
      { 'GET /apis/storage.k8s.io/v1/storageclasses': [collection([])] },
      'failed',
      'no StorageClass',
    ],
    [
      'a volume that nobody makes',
      'storage',
      {
        'GET /api/v1/namespaces/xray/persistentvolumeclaims': [
          collection([{ metadata: { name: 'data' }, status: { phase: 'Pending' } }]),
        ],
      },
      'failed',
      'no volume for data',
    ],
    [
      'a namespace that is yet to be made',
      'pod security',
      { 'POST /api/v1/namespaces/xray/pods': [notThere] },
      'skipped',
      'not there yet',
    ],
    [
      'a quota',
      'pod security',
      { 'POST /api/v1/namespaces/xray/pods': [{ status: 403, message: 'pods is forbidden: exceeded quota: small' }] },
      'failed',
      'exceeded quota',
    ],
    ['our definition', 'definition', { [`GET ${CRD}`]: [crd()] }, 'ok', 'as in this checkout'],
    [
      'another definition',
      'definition',
      { [`GET ${CRD}`]: [{ ...crd(), spec: { versions: [{ name: 'v1alpha1', served: true, schema: {} }] } }] },
      'warning',
      'has other fields',
    ],
    [
      'a definition of another version only',
      'definition',
      { [`GET ${CRD}`]: [{ ...crd(), spec: { versions: [{ name: 'v9', served: true, schema: {} }] } }] },
      'failed',
      'served as v9',
    ],
  ])('tells of %s', async (_, name, change, state, text) => {
    const { exit, of } = await examined({ ...healthy, ...change })
    expect(of(name)).toMatchObject({ state, detail: expect.stringContaining(text) })
    expect(exit).toBe(state === 'failed' ? EXIT.failed : EXIT.ok)
  })

  it('makes no pod: it asks whether one would be taken', async () => {
    const { seen } = await examined(healthy)
    const posted = seen.filter(({ request }) => request.endsWith('/pods'))
    expect(posted.map(({ query }) => query.get('dryRun'))).toEqual(['All'])
  })

  it('looks no further when there is no cluster', async () => {
    const { exit, out } = await runXrayctl(
      ['doctor', '-o', 'json', '--ingest', 'http://127.0.0.1:1', '--api', 'http://127.0.0.1:1'],
      'http://127.0.0.1:1',
    )
    const results = JSON.parse(out) as Result[]
    expect(exit).toBe(EXIT.failed)
    expect(results.filter(({ state }) => state === 'failed').map(({ name }) => name)).toEqual([
      'kubernetes',
      'ingest',
      'api',
    ])
  })
})

describe('doctor of what is installed', () => {
  const operator = {
    metadata: { name: 'xray-operator', namespace: 'xray-system' },
    spec: { template: { spec: { serviceAccountName: 'xray-operator' } } },
    status: { readyReplicas: 2, replicas: 2 },
  }
  const lease = (ageMs: number, holderIdentity = 'one') => ({
    spec: { holderIdentity, leaseDurationSeconds: 15, renewTime: new Date(NOW - ageMs).toISOString() },
  })
  const LEASE = 'GET /apis/coordination.k8s.io/v1/namespaces/xray-system/leases/xray-operator'
  const DEPLOYMENTS = 'GET /apis/apps/v1/deployments'
  const ACCOUNT = 'POST /apis/authorization.k8s.io/v1/subjectaccessreviews'
  const SECRET = 'GET /api/v1/namespaces/xray/secrets/leipzig-keys'
  const secret = (data: Record<string, string>) => ({
    metadata: { name: 'leipzig-keys' },
    data: Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString('base64')])),
  })
  const keys = { 'device-master-k1': 'a'.repeat(64), 'message-p1': 'b'.repeat(64), 'api-admin-token': 'xrk_admin_x' }
  const pod = (waiting?: string) => ({
    metadata: { name: 'leipzig-api-1' },
    status: {
      containerStatuses: [
        {
          name: 'api',
          image: 'i:1',
          ready: waiting === undefined,
          state: waiting === undefined ? {} : { waiting: { reason: waiting } },
        },
      ],
    },
  })
  const pipeline = (status: object = {}) => ({
    metadata: { name: 'leipzig', namespace: 'xray', generation: 1 },
    spec: {},
    status: {
      observedGeneration: 1,
      deadLetters: 0,
      conditions: ['Ready', 'TopologyReady', 'ScalingActive'].map((type) => ({
        type,
        status: 'True',
        reason: 'Fine',
        message: 'fine',
      })),
      ...status,
    },
  })
  const LEIPZIG = 'GET /apis/xrayiot.dev/v1alpha1/namespaces/xray/xraypipelines/leipzig'
  const METRICS = 'GET /api/v1/namespaces/xray/pods/leipzig-api-1:9464/proxy/metrics'
  const PODS = 'GET /api/v1/namespaces/xray/pods'
  const crd = {
    spec: { versions: [{ name: 'v1alpha1', served: true, schema: {} }] },
    status: { conditions: [{ type: 'Established', status: 'True' }] },
  }
  const installed: Record<string, Answer[]> = {
    ...healthy,
    [`GET ${CRD}`]: [crd],
    [DEPLOYMENTS]: [collection([operator])],
    [LEASE]: [dated(lease(2_000))],
    [ACCOUNT]: [{ status: { allowed: true } }],
    [LEIPZIG]: [pipeline()],
    [PODS]: [collection([pod()])],
    [METRICS]: [(response) => response.end('# HELP\nxray_build_info 1\n')],
    [SECRET]: [secret(keys)],
  }
  const scales = (status: string, reason: string) => ({
    [LEIPZIG]: [pipeline({ conditions: [{ type: 'ScalingActive', status, reason, message: 'the figures' }] })],
  })
  it.each<[string, string, Record<string, Answer[]>, string, string]>([
    ['pods that follow the queue', 'scaling', {}, 'ok', 'Fine: fine'],
    ['pods that KEDA scales', 'scaling', scales('True', 'LeftToKeda'), 'ok', 'LeftToKeda: the figures'],
    ['pods that the spec counts', 'scaling', scales('False', 'ScalingOff'), 'ok', 'ScalingOff'],
    ['pods by a fallback', 'scaling', scales('True', 'Fallback'), 'warning', 'Fallback: the figures'],
    ['pods that an annotation holds', 'scaling', scales('True', 'Paused'), 'warning', 'Paused'],
    ['a KEDA that says nothing', 'scaling', scales('Unknown', 'KedaPending'), 'warning', 'KedaPending'],
    ['a KEDA that is not there', 'scaling', scales('False', 'KedaMissing'), 'failed', 'KedaMissing'],
    ['two that scale the same pods', 'scaling', scales('False', 'Conflict'), 'failed', 'Conflict: the figures'],
    ['triggers that cannot be read', 'scaling', scales('False', 'BacklogUnknown'), 'failed', 'BacklogUnknown'],
    ['an operator that leads', 'operator', {}, 'ok', '2/2 ready in xray-system, one leads'],
    ['no operator', 'operator', { [DEPLOYMENTS]: [collection([])] }, 'failed', 'no namespace'],
    ['a leader that is silent', 'operator', { [LEASE]: [dated(lease(40_000))] }, 'failed', 'said nothing for 40 s'],
    ['a lease that nobody holds', 'operator', { [LEASE]: [dated(lease(0, ''))] }, 'failed', 'none of its pods leads'],
    [
      'an operator without rights',
      "the operator's permissions",
      { [ACCOUNT]: [{ status: { allowed: false } }] },
      'failed',
      'it may not watch xraypipelines',
    ],
    [
      'an image that is not there',
      'images',
      { [PODS]: [collection([pod('ImagePullBackOff')])] },
      'failed',
      'leipzig-api-1: i:1, ImagePullBackOff',
    ],
    [
      'a key that is missing',
      'keys',
      { [SECRET]: [secret({ 'message-p1': 'b'.repeat(64) })] },
      'failed',
      'no key "device-master-k1"',
    ],
    [
      'a key of another form',
      'keys',
      { [SECRET]: [secret({ ...keys, 'message-p1': 'short' })] },
      'failed',
      '"message-p1" has not the form',
    ],
    ['keys that may not be read', 'keys', { [SECRET]: [{ status: 403, message: 'forbidden' }] }, 'skipped', 'may not'],
    ['dead letters', 'dead letters', { [LEIPZIG]: [pipeline({ deadLetters: 3 })] }, 'warning', '3 wait'],
    [
      'a process that tells no metrics',
      'metrics',
      { [METRICS]: [(response) => response.end('other 1\n')] },
      'failed',
      'leipzig-api-1 tells none',
    ],
    [
      'a spec that nobody has seen',
      'ready',
      { [LEIPZIG]: [{ ...pipeline(), metadata: { name: 'leipzig', generation: 2 } }] },
      'failed',
      'has seen generation 1 of 2',
    ],
    [
      'another topology',
      'topology',
      {
        [LEIPZIG]: [
          pipeline({
            conditions: [{ type: 'TopologyReady', status: 'False', reason: 'TopologyMismatch', message: 'queue q' }],
          }),
        ],
      },
      'failed',
      'TopologyMismatch: queue q',
    ],
  ])('tells of %s', async (_, name, change, state, text) => {
    const api = await fakeKubeApi({ ...installed, ...change })
    const services = createServer((request, response) =>
      response.writeHead(request.method === 'POST' ? 400 : 200).end('{}'),
    ).listen(0, '127.0.0.1')
    await once(services, 'listening')
    open.add(api).add(services)
    const address = `http://127.0.0.1:${(services.address() as AddressInfo).port}`
    const { out } = await runXrayctl(['doctor', '-o', 'json', '--ingest', address, '--api', address], api.url)
    const results = JSON.parse(out) as Result[]
    expect(results.find((result) => result.name === name)).toMatchObject({
      state,
      detail: expect.stringContaining(text),
    })
  })
})
