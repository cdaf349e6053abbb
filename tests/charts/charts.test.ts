import { cpSync, mkdtempSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { kubectl } from '../../k8s/local/control-plane.ts'
import { ensureTool } from '../../k8s/local/tools.ts'
import { HELMS, helmIn } from './helm.ts'
import { podOf, type Rendered, RULES } from './rules.ts'

const CHARTS = ['rabbitmq', 'redis', 'mongodb', 'xray-operator', 'xray-platform']
/** The umbrella's parts are vendored into a copy, so that the checkout stays as it is. */
const charts = mkdtempSync(join(tmpdir(), 'xrayiot-charts-'))

const { helm, render } = helmIn(charts)

beforeAll(async () => {
  for (const tool of HELMS) await ensureTool(tool)
  cpSync('charts', charts, { recursive: true })
  cpSync('k8s/local/values', join(charts, 'local'), { recursive: true })
  const built = helm('helm', 'dependency', 'build', 'xray-platform')
  expect(built.ok, built.text).toBe(true)
}, 600_000)

/** Each chart with its defaults, each set of values beside it, and what the local cluster gives it. */
const SETS = CHARTS.flatMap((chart) => [
  [chart, []] as const,
  ...readdirSync(`charts/${chart}/ci`).map((file) => [chart, ['--values', `${chart}/ci/${file}`]] as const),
  ...readdirSync('k8s/local/values')
    .filter((file) => file === `${chart}.yaml`)
    .map((file) => [chart, ['--values', `local/${file}`]] as const),
])

describe.each(HELMS)('with %s', (tool) => {
  it.each(CHARTS)('%s passes the linter', (chart) => {
    const { ok, text } = helm(tool, 'lint', '--strict', chart)
    expect(ok, text).toBe(true)
  })
  it.each(SETS)('every pod of %s %j keeps every rule', (chart, args) => {
    const all = render(tool, chart, ...args)
    const pods = all.flatMap((object) => podOf(object) ?? [])
    expect(pods.length).toBeGreaterThan(0)
    for (const pod of pods) expect(RULES.filter(({ holds }) => !holds(pod, all)).map(({ name }) => name)).toEqual([])
  })
})

describe('each rule fires', () => {
  const broken: Record<string, (pod: NonNullable<ReturnType<typeof podOf>>) => void> = {
    'runs as no root, by the pod': ({ spec }) => void delete spec.securityContext?.runAsNonRoot,
    'keeps the default seccomp profile': ({ spec }) => void delete spec.securityContext?.seccompProfile,
    'lets no container gain privileges': ({ spec }) =>
      void delete spec.containers[0]?.securityContext?.allowPrivilegeEscalation,
    'drops every capability': ({ spec }) => void delete spec.initContainers?.[0]?.securityContext?.capabilities,
    'has read-only root file systems': ({ spec }) =>
      void delete spec.containers[0]?.securityContext?.readOnlyRootFilesystem,
    'asks for CPU and memory and limits memory': ({ spec }) => void delete spec.initContainers?.[0]?.resources,
    'says when it is ready': ({ spec }) => void delete spec.containers[0]?.readinessProbe,
    'shares nothing with its node': ({ spec }) => void spec.volumes?.push({ hostPath: {} }),
    'has a service account of its own': ({ spec }) => void delete spec.serviceAccountName,
    'has no token unless it is the operator': ({ spec }) => void delete spec.automountServiceAccountToken,
    'names no variable twice': ({ spec }) => void spec.containers[0]?.env?.push({ name: 'HOME' }),
    'pins its images': ({ spec }) => void Object.assign(spec.containers[0] ?? {}, { image: 'rabbitmq:latest' }),
    'is covered by a network policy': ({ labels }) => void delete labels['app.kubernetes.io/instance'],
  }
  it.each(RULES)('$name', ({ name, holds }) => {
    const all = render('helm', 'rabbitmq')
    const pod = all.flatMap((object) => podOf(object) ?? [])[0]
    if (pod === undefined) throw new Error('the chart has no pod')
    expect(holds(pod, all)).toBe(true)
    broken[name]?.(pod)
    expect(holds(pod, all)).toBe(false)
  })
})

describe('values that cannot work are refused', () => {
  it.each([
    ['rabbitmq', 'replicas=0'],
    ['rabbitmq', 'replica=3'],
    ['rabbitmq', 'management.service.type=nodeport'],
    ['redis', 'image.pullPolicy=Sometimes'],
    ['redis', 'persistence.size=big'],
    ['mongodb', 'engine=mysql'],
    ['xray-operator', 'logLevel=loud'],
    ['xray-platform', 'postgres.enabled=true'],
  ])('%s --set %s', (chart, value) => expect(helm('helm', 'template', 'x', chart, '--set', value).ok).toBe(false))
})

describe('a connection Secret', () => {
  it.each([
    ['rabbitmq', ['type', 'provider', 'host', 'port', 'username', 'password', 'uri', 'management-uri']],
    ['redis', ['type', 'provider', 'host', 'port', 'username', 'password', 'uri']],
    ['mongodb', ['type', 'provider', 'host', 'port', 'username', 'password', 'uri']],
  ])('of %s has the keys of a service binding, and a URI with its own password', (chart, keys) => {
    const secret = render('helm', chart).find(
      ({ kind, metadata }) => kind === 'Secret' && metadata.name === `xray-${chart}`,
    )
    expect(Object.keys(secret?.stringData ?? {})).toEqual(expect.arrayContaining(keys))
    expect(secret?.stringData?.uri).toContain(`:${secret?.stringData?.password}@${secret?.stringData?.host}`)
    expect(secret?.metadata.annotations?.['helm.sh/resource-policy']).toBe('keep')
  })
  it.each(['rabbitmq', 'redis', 'mongodb'])('of %s is not made when one is given', (chart) =>
    expect(
      render('helm', chart, '--set', 'auth.existingSecret=mine').some(
        ({ kind, metadata }) => kind === 'Secret' && metadata.name === `xray-${chart}`,
      ),
    ).toBe(false),
  )
})

it.each(SETS.filter(([chart]) => chart === 'rabbitmq'))(
  'the broker of %s %j takes no message that a worker has no memory for',
  (chart, args) => {
    const config = render('helm', chart, ...args).find(({ kind }) => kind === 'ConfigMap') as
      | { data?: Record<string, string> }
      | undefined
    expect(config?.data?.['rabbitmq.conf']?.split('\n')).toContain('max_message_size = 1048576')
  },
)

it('queues of a broker that grows from one node to three get members on the others', () => {
  const confOf = (...args: string[]) => {
    const config = render('helm', 'rabbitmq', ...args).find(({ kind }) => kind === 'ConfigMap')
    return (config as { data?: Record<string, string> } | undefined)?.data?.['rabbitmq.conf'] ?? ''
  }
  expect(confOf('--set', 'replicas=3')).toMatch(/membership_reconciliation.enabled = true\n.*target_group_size = 3\n/)
  expect(confOf()).not.toContain('membership_reconciliation')
})

it.each(['rabbitmq', 'redis', 'mongodb'])('%s has an hour to recover before it is restarted', (chart) => {
  for (const engine of chart === 'mongodb' ? ['mongodb', 'ferretdb'] : [''])
    for (const pod of render('helm', chart, ...(engine === '' ? [] : ['--set', `engine=${engine}`])).flatMap(
      (object) => podOf(object) ?? [],
    )) {
      const probes = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])].flatMap(
        ({ startupProbe }) => startupProbe ?? [],
      )
      expect(probes.length).toBeGreaterThan(0)
      for (const { periodSeconds = 10, failureThreshold = 3 } of probes)
        expect(periodSeconds * failureThreshold).toBeGreaterThanOrEqual(3_600)
    }
})

it.each(['rabbitmq', 'redis', 'mongodb', 'xray-operator'])('the notes of %s print no secret', (chart) => {
  const { text } = helm('helm', 'install', `xray-${chart}`, chart, '--dry-run=client', '--namespace', 'xray')
  const password = /password: "?([A-Za-z0-9]{32})/.exec(text)?.[1]
  const notes = text.split('NOTES:')[1] ?? ''
  expect(notes.length).toBeGreaterThan(100)
  if (password !== undefined) expect(notes).not.toContain(password)
})

it.each(SETS)('the API server takes %s %j', async (chart, args) => {
  const { out } = helm(
    'helm',
    'template',
    'dry',
    chart,
    '--namespace',
    'default',
    '--set',
    chart === 'xray-platform'
      ? 'xray-operator.crds.enabled=false'
      : chart === 'xray-operator'
        ? 'crds.enabled=false'
        : 'clusterDomain=cluster.local',
    ...args,
  )
  const namespaced = parseAllDocuments(out)
    .map((document) => document.toJS() as Rendered)
    .filter((object) => object !== null && ['default', undefined].includes(object.metadata.namespace))
  const ported = namespaced.filter(({ spec }) => (spec as { type?: string } | undefined)?.type !== 'NodePort') // its port may be taken by the running release
  await kubectl(
    ['apply', '--namespace', 'default', '--dry-run=server', '--validate=strict', '-f', '-'],
    ported.map((object) => JSON.stringify(object)).join('\n---\n'),
  )
})
