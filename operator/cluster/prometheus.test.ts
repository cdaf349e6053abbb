import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { type PrometheusTrigger, SCALING_DEFAULTS, type Scaling } from '#contract/scaling/block.ts'
import { makeAuthority, makeCertificate } from '../../k8s/local/pki.ts'
import { createPrometheus, type Prometheus, valueIn } from './prometheus.ts'
import { SecretProblem, type Secrets } from './secrets.ts'

const vector = (...values: string[]) => ({
  status: 'success',
  data: {
    resultType: 'vector',
    result: values.map((value) => ({ metric: {}, value: [1, value] as [number, string] })),
  },
})

it.each([
  ['of a vector of one', vector('42.5'), 42.5],
  ['of a scalar', { status: 'success', data: { resultType: 'scalar', result: [1, '7'] } }, 7],
  ['0 when it is 0', vector('0'), 0],
  ['unknown of no element', vector(), undefined],
  ['unknown of several', vector('1', '2'), undefined],
  ['unknown when it is NaN', vector('NaN'), undefined],
  ['unknown when it is infinite', vector('+Inf'), undefined],
  ['unknown when it is no text', vector(''), undefined],
  ['unknown of a refused query', { status: 'error' }, undefined],
  ['unknown of a matrix', { status: 'success', data: { resultType: 'matrix', result: [{ values: [] }] } }, undefined],
])('the value is that %s', (_, answer, expected) => expect(valueIn(answer)).toBe(expected))

type Request = { url: string; authorization: string | undefined }

const withServer = async (
  body: string,
  use: (address: string, asked: Request[]) => Promise<void>,
  statusOf: (authorization: string | undefined) => number = () => 200,
  tls?: { key: string; cert: string },
): Promise<void> => {
  const asked: Request[] = []
  const answer: RequestListener = ({ url = '', headers: { authorization } }, response) => {
    asked.push({ url, authorization })
    response.statusCode = statusOf(authorization)
    response.end(body)
  }
  const server = tls === undefined ? createServer(answer) : createSecureServer(tls, answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    await use(`http${tls === undefined ? '' : 's'}://127.0.0.1:${(server.address() as AddressInfo).port}`, asked)
  } finally {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
}

const SECRET: NonNullable<PrometheusTrigger['authenticationRef']> = { kind: 'Secret', name: 'prom' }
const scalingOn = (
  serverAddress: string,
  more: { provider?: 'Native' | 'None'; authModes?: 'bearer' | 'basic'; authenticationRef?: typeof SECRET } = {},
): Scaling => {
  const { provider = 'Native', authModes, authenticationRef } = more
  const metadata = { serverAddress, query: 'sum(lag)', threshold: '100', ...(authModes !== undefined && { authModes }) }
  const trigger = {
    type: 'prometheus' as const,
    metadata,
    ...(authenticationRef !== undefined && { authenticationRef }),
  }
  return { ...SCALING_DEFAULTS, provider, triggers: [...SCALING_DEFAULTS.triggers, trigger] }
}

/** Secrets of the namespace xray: `prom` with these fields. */
const secrets = (fields: Record<string, string> = {}): Pick<Secrets, 'fields'> => ({
  fields: async (namespace, name, keys) => {
    const missing = keys.find((key) => fields[key] === undefined)
    if (missing !== undefined) throw new SecretProblem(`the Secret ${namespace}/${name} has no key "${missing}"`)
    return fields
  },
})
const open: Prometheus[] = []
const prometheusWith = (fields?: Record<string, string>): Prometheus => {
  const prometheus = createPrometheus(secrets(fields))
  open.push(prometheus)
  return prometheus
}
afterEach(async () => {
  await Promise.all(open.splice(0).map((prometheus) => prometheus.close()))
})
const GOOD = JSON.stringify(vector('450'))
const known = { metrics: { 'prometheus-1': 450 }, problems: [] }
const unknown = (reason: string, message = '') => ({
  metrics: { 'prometheus-1': undefined },
  problems: [{ name: 'prometheus-1', reason, message: expect.stringContaining(message) }],
})

it('a query is asked once in an interval, whoever wants its value', () =>
  withServer(GOOD, async (address, asked) => {
    const prometheus = prometheusWith()
    const ask = (namespace: string) => prometheus.ask(namespace, scalingOn(address))
    expect(await Promise.all([ask('xray'), ask('other')])).toEqual([known, known])
    expect(asked.map(({ url }) => url)).toEqual(['/api/v1/query?query=sum%28lag%29'])
  }))

it('nothing is asked for a pipeline that others scale', () =>
  withServer('', async (address, asked) => {
    const nothing = { metrics: {}, problems: [] }
    expect(await prometheusWith().ask('xray', scalingOn(address, { provider: 'None' }))).toEqual(nothing)
    expect(asked).toEqual([])
  }))

it.each<[string, string, number, string]>([
  ['no JSON', '<html>', 200, 'NoValue'],
  ['no object', 'null', 200, 'NoValue'],
  ['no value', JSON.stringify(vector()), 200, 'NoValue'],
  ['a refusal of the query', '{"status":"error"}', 400, 'NoValue'],
  ['one of a server that is broken', '', 503, 'NoAnswer'],
  ['a refusal of whoever asks', '', 401, 'CredentialsRefused'],
  ['a prohibition', '', 403, 'CredentialsRefused'],
])('an answer that is %s leaves the value unknown, and says why', (_, body, status, reason) =>
  withServer(
    body,
    async (address) => expect(await prometheusWith().ask('xray', scalingOn(address))).toEqual(unknown(reason)),
    () => status,
  ),
)

it('an address that is none leaves the value unknown', async () =>
  expect(await prometheusWith().ask('xray', scalingOn('http://'))).toMatchObject({
    metrics: { 'prometheus-1': undefined },
  }))

it('a server that is not there leaves the value unknown', async () =>
  expect(await prometheusWith().ask('xray', scalingOn('http://127.0.0.1:1'))).toEqual(
    unknown('NoAnswer', 'ECONNREFUSED'),
  ))

describe('a trigger with a Secret', () => {
  const authenticationRef = SECRET
  it.each([
    ['a token', 'bearer' as const, { bearerToken: 't0ken\n' }, 'Bearer t0ken'],
    ['user and password', 'basic' as const, { username: 'me', password: 'p' }, 'Basic bWU6cA=='],
    ['nothing, when it is only an authority', undefined, { ca: 'x' }, undefined],
  ])('sends %s', (_, authModes, fields, expected) =>
    withServer(GOOD, async (address, asked) => {
      const scaling = scalingOn(address, { authenticationRef, ...(authModes && { authModes }) })
      expect(await prometheusWith(fields).ask('xray', scaling)).toEqual(known)
      expect(asked.map(({ authorization }) => authorization)).toEqual([expected])
    }),
  )

  it('asks anew as soon as its Secret is another one', () => {
    const fields = { bearerToken: 'wrong' }
    const serves = (authorization?: string) => (authorization === 'Bearer right' ? 200 : 401)
    return withServer(
      GOOD,
      async (address) => {
        const prometheus = prometheusWith(fields)
        const scaling = scalingOn(address, { authenticationRef, authModes: 'bearer' })
        expect(await prometheus.ask('xray', scaling)).toEqual(unknown('CredentialsRefused', '401'))
        fields.bearerToken = 'right'
        expect(await prometheus.ask('xray', scaling)).toEqual(known)
      },
      serves,
    )
  })

  it('is unknown without it, and says what is missing', async () =>
    expect(
      await prometheusWith({}).ask('xray', scalingOn('http://127.0.0.1:1', { authenticationRef, authModes: 'bearer' })),
    ).toEqual(unknown('SecretMissing', 'the Secret xray/prom has no key "bearerToken"')))

  it('trusts the authority in it, and no server without one', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'xrayiot-prometheus-'))
    await makeAuthority(folder, 'ca')
    await makeCertificate(folder, { name: 'server', ca: 'ca', subject: '/CN=prometheus', hosts: 'IP:127.0.0.1' })
    const read = (name: string) => readFileSync(join(folder, name), 'utf8')
    await withServer(
      GOOD,
      async (address) => {
        const scaling = scalingOn(address, { authenticationRef })
        expect(await prometheusWith({ ca: read('ca.crt') }).ask('xray', scaling)).toEqual(known)
        expect(await prometheusWith().ask('xray', scalingOn(address))).toEqual(unknown('NoAnswer', 'does not answer'))
      },
      undefined,
      { key: read('server.key'), cert: read('server.crt') },
    )
    rmSync(folder, { recursive: true })
  })
})
