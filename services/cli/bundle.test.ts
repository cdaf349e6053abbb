import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterEach, expect, it } from 'vitest'
import { type Answer, collection, fakeKubeApi } from '../../tests/stand/kube-api.ts'
import { NOW, runXrayctl } from '../../tests/stand/xrayctl.ts'
import { EXIT } from './failure.ts'
import { createScrub, secretValues, withoutSecrets } from './scrub.ts'
import { toTar } from './tar.ts'

const open = new Set<{ close: () => void }>()
afterEach(() => {
  for (const api of open) api.close()
  open.clear()
})

it('tar itself reads the archive', () => {
  const folder = mkdtempSync(join(tmpdir(), 'xrayiot-tar-'))
  try {
    const long = 'ä'.repeat(700)
    const entries = [
      { name: 'a.txt', text: 'one\n' },
      { name: 'logs/b.log', text: long },
      { name: 'empty', text: '' },
    ]
    writeFileSync(join(folder, 'it.tar'), toTar(entries, NOW))
    execFileSync('tar', ['xf', 'it.tar'], { cwd: folder, stdio: 'pipe' })
    expect(readdirSync(folder).sort()).toEqual(['a.txt', 'empty', 'it.tar', 'logs'])
    expect(readFileSync(join(folder, 'logs/b.log'), 'utf8')).toBe(long)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

it.each(['', 'n'.repeat(100), 'ä'])('a name that has no room in an archive is refused: "%s"', (name) =>
  expect(() => toTar([{ name, text: '' }], NOW)).toThrow(RangeError),
)

const base64 = (text: string): string => Buffer.from(text).toString('base64')
const secret = (name: string, data: Record<string, string>) => ({
  metadata: { name, namespace: 'xray' },
  data: Object.fromEntries(Object.entries(data).map(([key, value]) => [key, base64(value)])),
})
const PASSWORD = 'p@ss/w"ord-1'
const SECRETS = [
  secret('xray-rabbitmq', {
    host: 'xray-rabbitmq',
    username: 'xray-user',
    password: PASSWORD,
    uri: `amqp://xray-user:${encodeURIComponent(PASSWORD)}@xray-rabbitmq:5672/`,
  }),
  secret('leipzig-keys', { 'message-p1': 'ab'.repeat(32), 'api-admin-token': 'xrk_admin_abcdef', short: 'x' }),
]

it.each([
  ['as it is', `password ${PASSWORD}.`, 'password [left out].'],
  ['in a URI', `to amqp://u:${encodeURIComponent(PASSWORD)}@h`, 'to amqp://u:[left out]@h'],
  ['in JSON', JSON.stringify({ p: PASSWORD }), '{"p":"[left out]"}'],
  ['as a Secret has it', `data: ${base64(PASSWORD)}`, 'data: [left out]'],
  [
    'of a Secret that could not be read, in a URI',
    'mongodb://root:other-one@db:27017/',
    'mongodb://root:[left out]@db:27017/',
  ],
  ['of a Secret that could not be read, as our token', 'with xrk_other_1234', 'with [left out]'],
  ['in a header', 'authorization: Bearer abc.def-123', 'authorization: Bearer [left out]'],
  ['that is none', 'xray-user at xray-rabbitmq:5672, http://h:1/x', 'xray-user at xray-rabbitmq:5672, http://h:1/x'],
])('a secret %s is left out', (_, text, expected) => expect(createScrub(SECRETS)(text)).toBe(expected))

it('an object is without variables that are named like secrets, and without copies of itself', () =>
  expect(
    withoutSecrets({
      metadata: {
        name: 'x',
        managedFields: [1],
        annotations: { 'kubectl.kubernetes.io/last-applied-configuration': 'all', a: 'b' },
      },
      env: [
        { name: 'SMTP_PASSWORD', value: 'hidden' },
        { name: 'LEVEL', value: 'debug' },
        { name: 'FROM_SECRET_KEY', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } },
      ],
    }),
  ).toEqual({
    metadata: { name: 'x', annotations: { a: 'b' } },
    env: [
      { name: 'SMTP_PASSWORD', value: '[left out]' },
      { name: 'LEVEL', value: 'debug' },
      { name: 'FROM_SECRET_KEY', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } },
    ],
  }))

const HOME = 'namespaces/xray'
const LEAK = `${PASSWORD} ${SECRETS.map(({ data }) => Object.values(data).map((value) => Buffer.from(value, 'base64'))).join(' ')}`
const pod = {
  metadata: { name: 'leipzig-api-1', namespace: 'xray' },
  spec: { containers: [{ name: 'api', env: [{ name: 'X', value: LEAK }] }, { name: 'mesh' }] },
  status: { containerStatuses: [{ name: 'api', restartCount: 1 }] },
}
const planned: Record<string, Answer[]> = {
  [`GET /apis/xrayiot.dev/v1alpha1/${HOME}/xraypipelines/leipzig`]: [
    { metadata: { name: 'leipzig', namespace: 'xray' }, spec: { podTemplate: { env: [{ name: 'X', value: LEAK }] } } },
  ],
  [`GET /apis/xrayiot.dev/v1alpha1/${HOME}/xraypipelines`]: [collection([{ metadata: { name: 'leipzig' } }])],
  [`GET /apis/events.k8s.io/v1/${HOME}/events`]: [
    collection([{ metadata: { name: 'e' }, regarding: { kind: 'XRayPipeline', name: 'leipzig' }, note: LEAK }]),
  ],
  [`GET /api/v1/${HOME}/secrets`]: [collection(SECRETS)],
  [`GET /api/v1/${HOME}/configmaps`]: [collection([{ metadata: { name: 'c' }, data: { text: LEAK } }])],
  [`GET /api/v1/${HOME}/pods`]: [collection([pod])],
  [`GET /api/v1/${HOME}/pods/leipzig-api-1/log`]: [
    (response) => response.end(`${LEAK}\n{"msg":${JSON.stringify(LEAK)}}\n`),
  ],
}
const bundle = async (change: Record<string, Answer[]> = {}) => {
  const api = await fakeKubeApi({ ...planned, ...change })
  open.add(api)
  const run = await runXrayctl(['support-bundle', '-f', 'it.tar.gz'], api.url)
  return { ...run, text: gunzipSync(run.written.get('it.tar.gz') as Buffer).toString(), seen: api.seen }
}

it('no value of a Secret is in a bundle, wherever a process or a person wrote it', async () => {
  const { text, out } = await bundle()
  expect(out).toBe('it.tar.gz')
  const values = [
    ...secretValues(SECRETS),
    encodeURIComponent(PASSWORD),
    JSON.stringify(PASSWORD).slice(1, -1),
    base64(PASSWORD),
  ]
  expect(values.filter((value) => text.includes(value))).toEqual([])
  expect(text).toContain('leipzig-keys: message-p1, api-admin-token, short')
})

it('a bundle has the log of every container, and of the one before it where there was one, within bounds', async () => {
  const { seen } = await bundle()
  const logs = seen.filter(({ request }) => request.endsWith('/log')).map(({ query }) => Object.fromEntries(query))
  expect(logs.map(({ container, previous }) => `${container} ${previous}`)).toEqual([
    'api false',
    'api true',
    'mesh false',
  ])
  expect(logs[0]).toMatchObject({ sinceSeconds: '3600', tailLines: '5000', limitBytes: '1048576' })
})

it('what cannot be read is named in it, and stops nothing', async () => {
  const { exit, text, told } = await bundle({ [`GET /api/v1/${HOME}/secrets`]: [{ status: 403, message: 'no' }] })
  expect(exit).toBe(EXIT.partial)
  expect(told).toContain('left out: secrets.txt: the Secrets of xray: this kubeconfig may not (no)')
  expect(text).toContain('left-out.txt')
  expect(text).toContain('name: leipzig')
})
