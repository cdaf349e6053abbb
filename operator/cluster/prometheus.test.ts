import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it } from 'vitest'
import { SCALING_DEFAULTS } from '#contract/scaling/block.ts'
import { createPrometheus, valueIn } from './prometheus.ts'

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

const withServer = async (body: string, use: (address: string, asked: string[]) => Promise<void>): Promise<void> => {
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(request.url ?? '')
    response.end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked)
  } finally {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
}
const scalingOn = (serverAddress: string, provider: 'Native' | 'None' = 'Native') => ({
  ...SCALING_DEFAULTS,
  provider,
  triggers: [
    ...SCALING_DEFAULTS.triggers,
    { type: 'prometheus' as const, metadata: { serverAddress, query: 'sum(lag)', threshold: '100' } },
  ],
})

it('a query is asked once in an interval, whoever wants its value', () =>
  withServer(JSON.stringify(vector('450')), async (address, asked) => {
    const prometheus = createPrometheus()
    const values = await Promise.all([prometheus.ask(scalingOn(address)), prometheus.ask(scalingOn(`${address}`))])
    expect(values).toEqual([{ 'prometheus-1': 450 }, { 'prometheus-1': 450 }])
    expect(asked).toEqual(['/api/v1/query?query=sum%28lag%29'])
  }))

it('nothing is asked for a pipeline that others scale', () =>
  withServer('', async (address, asked) => {
    expect(await createPrometheus().ask(scalingOn(address, 'None'))).toEqual({})
    expect(asked).toEqual([])
  }))

it.each([
  ['no JSON', '<html>'],
  ['no object', 'null'],
])('an answer that is %s leaves the value unknown', (_, body) =>
  withServer(body, async (address) =>
    expect(await createPrometheus().ask(scalingOn(address))).toEqual({ 'prometheus-1': undefined }),
  ),
)

it('a server that is not there leaves the value unknown', async () =>
  expect(await createPrometheus().ask(scalingOn('http://127.0.0.1:1'))).toEqual({ 'prometheus-1': undefined }))
