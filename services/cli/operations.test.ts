import { afterEach, expect, it } from 'vitest'
import { type Answer, fakeKubeApi } from '../../tests/stand/kube-api.ts'
import { runXrayctl } from '../../tests/stand/xrayctl.ts'
import { EXIT } from './failure.ts'

const open = new Set<{ close: () => void }>()
afterEach(() => {
  for (const api of open) api.close()
  open.clear()
})

const operation = (state: string, done: number, failed = 0) => ({
  id: 'op1',
  kind: 'replay',
  state,
  total: 3,
  done,
  failed,
  errors: [],
  startedAt: '2026-03-01T12:00:00.000Z',
})

/** The stand-in answers paths and JSON, whichever API it stands for. */
const run = async (argv: string[], planned: Record<string, Answer[]>) => {
  const api = await fakeKubeApi(planned)
  open.add(api)
  const done = await runXrayctl(['ops', ...argv, '--api', api.url, '--token', 'x'], api.url)
  return { ...done, seen: api.seen.map(({ request }) => request) }
}
const ONE = 'GET /api/operations/op1'

it('lists operations, a line each', async () => {
  const { out } = await run(['list'], { 'GET /api/operations': [{ data: [operation('running', 1, 1)] }] })
  expect(out.split('\n')[1]).toBe('op1   replay   running   2/3    1        2026-03-01T12:00:00.000Z')
})

it.each([
  ['done', operation('done', 3), EXIT.ok, '3 of 3 replayed'],
  ['done in part', operation('done', 2, 1), EXIT.partial, '2 of 3 replayed, 1 failed and stay open'],
  ['cancelled', operation('cancelled', 1), EXIT.partial, '1 of 3 replayed, cancelled'],
])('follows one until it is %s', async (_, end, exit, line) =>
  expect(await run(['watch', 'op1'], { [ONE]: [operation('running', 0), operation('running', 1), end] })).toMatchObject(
    {
      exit,
      out: line,
    },
  ),
)

it('cancels one that runs, when it is told to', async () => {
  const planned = { [ONE]: [operation('running', 1)], 'DELETE /api/operations/op1': [operation('cancelled', 1)] }
  expect(await run(['cancel', 'op1', '-y'], planned)).toMatchObject({
    exit: EXIT.ok,
    out: '1 of 3 replayed, cancelled',
  })
})

it('cancels nothing where nobody can be asked, and says what it would leave', async () => {
  const { exit, told, seen } = await run(['cancel', 'op1'], { [ONE]: [operation('running', 1)] })
  expect([exit, seen]).toEqual([EXIT.refused, [ONE]])
  expect(told).toContain('Cancel the replay op1 after 1 of 3?')
})

it.each([
  [['watch', 'op1'], EXIT.notFound],
  [['list', '--limit', '0'], EXIT.usage],
  [['watch'], EXIT.usage],
  [[], EXIT.usage],
])('%j ends with %d', async (argv, exit) =>
  expect((await run(argv, { [ONE]: [{ status: 404, message: 'no' }] })).exit).toBe(exit),
)
