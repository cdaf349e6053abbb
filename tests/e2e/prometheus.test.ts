import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { PROMETHEUS, scrapeTargets } from '../../k8s/local/prometheus.ts'
import { rulesOf } from '../../operator/decide/alerts.ts'
import { dashboardOf } from '../../operator/decide/dashboard.ts'
import { figuresOf } from '../../operator/decide/figures.ts'
import { loadRecords } from '../../operator/decide/load-records.ts'
import type { Pipeline } from '../../operator/decide/pipeline.ts'
import { eventually, kubectl, openBroker, openDatabase, read } from './cluster.ts'
import { archivedLetters } from './dead-letters.ts'
import { openDevice, recording } from './device.ts'
import { apply, conditionHolds, remove } from './pipeline.ts'

/** A part of a page, from its heading to the next. */
const section = (page: string, heading: string): string => {
  const text = readFileSync(`docs/${page}.md`, 'utf8').split(`## ${heading}\n`)[1]
  if (text === undefined) throw new Error(`docs/${page}.md has no section "${heading}"`)
  return text.split('\n## ')[0] as string
}

/** The series that a query has now. @throws Error with Prometheus' own when it does not understand the query */
const query = async (asked: string): Promise<unknown[]> => {
  // A dashboard has its window filled in.
  const text = asked.replaceAll('$__rate_interval', '1m')
  const answer = await fetch(`${PROMETHEUS}/api/v1/query?query=${encodeURIComponent(text)}`)
  const { data, error } = (await answer.json()) as { data?: { result: unknown[] }; error?: string }
  if (data === undefined) throw new Error(`${text}: ${error}`)
  return data.result
}
const answers = async (asked: string): Promise<void> => {
  await eventually(`a value of ${asked}`, 90, async () => ((await query(asked)).length > 0 ? true : undefined))
}

describe('the local Prometheus', () => {
  it('reads every process of ours and the broker', async () => {
    await eventually('all targets to be up', 90, async () => {
      const lost = (await scrapeTargets()).filter(({ health }) => health !== 'up')
      if (lost.length > 0) throw new Error(JSON.stringify(lost))
      return true
    })
    const seen = (await scrapeTargets()).map(({ labels }) => labels.pod?.split('-').slice(0, 2).join('-'))
    const expected = ['leipzig-producer', 'leipzig-signals', 'leipzig-api', 'xray-operator', 'xray-rabbitmq']
    expect(seen).toEqual(expect.arrayContaining(expected))
  })

  const rows = section('observability', 'Metrics')
    .split('\n')
    .filter((line) => /^\| .*\?/.test(line))
  // Paths stand in backticks, too; a query has a metric's name.
  const queries = rows.flatMap((row) => [...row.matchAll(/`([^`]+)`/g)].map(([, code]) => code as string))
  it.each(queries.filter((code) => !code.startsWith('/')))('has an answer to %s', (query) =>
    // A histogram has no series by its bare name.
    answers(/^[a-z_]+$/.test(query) ? `{__name__=~"${query}(_count)?"}` : query),
  )

  it('has an answer to whatever is recorded of the load, and understands each rule and panel', async () => {
    const pipeline: Pipeline = await read('xraypipeline', 'leipzig', '-n', 'xray')
    for (const { expr } of loadRecords(figuresOf(pipeline))) await answers(expr)
    const rules = rulesOf(pipeline).flatMap((group) => group.rules)
    const panels = dashboardOf(pipeline).panels.flatMap(({ targets }) => targets)
    for (const { expr } of [...rules, ...panels]) await query(expr)
  })
})

type Trigger = { metadata: { query: string; threshold: string } }
type Manifest = {
  metadata: { name: string }
  spec: { signals: { scaling: { cooldownPeriod: number; triggers: Trigger[] } } } & Record<string, object>
}

const EXAMPLE: Manifest = parse(section('scaling', 'Scaled by a query').split('```')[1]?.replace('yaml\n', '') ?? '')
const NAME = EXAMPLE.metadata.name
/** With the default of two minutes' stabilization a test would wait for what it does not test. */
const AT_ONCE = { stabilizationWindowSeconds: 0, policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }] }

/** The example as it is written down, with what a test needs around it and, where it is given, another query. */
const example = (other: Partial<Trigger['metadata']> = {}): string => {
  const { scaling } = EXAMPLE.spec.signals
  const triggers = scaling.triggers.map((trigger) => ({ ...trigger, metadata: { ...trigger.metadata, ...other } }))
  return JSON.stringify({
    ...EXAMPLE,
    spec: {
      ...EXAMPLE.spec,
      deletionPolicy: 'Delete',
      producer: { replicas: 1, rateLimit: { perDevicePerMinute: 100_000 } },
      api: { replicas: 1 },
      signals: { scaling: { ...scaling, triggers, behavior: { scaleDown: AT_ONCE } } },
    },
  })
}

describe('a pipeline that is scaled by a query alone', () => {
  const MESSAGES = 1_200
  let store: Awaited<ReturnType<typeof openDatabase>>
  beforeAll(async () => {
    store = await openDatabase(NAME)
    await apply(example())
    await conditionHolds(NAME, 'Available', 'True')
  })
  afterAll(async () => {
    await store.db.dropDatabase()
    await store.close()
    await remove(NAME)
  })

  const replicas = async (): Promise<number> =>
    (await read('deployment', `${NAME}-signals`, '-n', 'xray')).spec.replicas
  // A pod may hear 60 to 90 s late that it is to go: docs/scaling.md, "How pods go".
  const replicasBecome = (what: string, wanted: (count: number) => boolean): Promise<number> =>
    eventually(`signals to ${what}`, 300, async () => {
      const count = await replicas()
      if (wanted(count)) return count
      const { scaling } = (await read('xraypipeline', NAME, '-n', 'xray')).status
      throw new Error(`${count} pods: ${scaling?.message}`)
    })

  it(`goes from none to some for ${MESSAGES} messages and back, and each is stored once`, async () => {
    await replicasBecome('be at zero', (count) => count === 0)
    const device = await openDevice(NAME)
    const ids: (string | undefined)[] = []
    let next = 0
    const sender = async (): Promise<void> => {
      while (next < MESSAGES) {
        const answer = await device(recording({ timestamp: 1735683480000 + next++ }))
        expect(answer.status).toBe(202)
        ids.push(answer.body.messageId)
      }
    }
    await Promise.all(Array.from({ length: 32 }, sender))
    await replicasBecome('be started', (count) => count > 0)
    const signals = store.db.collection('signals')
    await eventually('every message to be stored', 150, async () =>
      (await signals.distinct('messageId')).length === MESSAGES ? true : undefined,
    )
    await replicasBecome('go back to zero', (count) => count === 0)
    expect((await signals.distinct('messageId')).sort()).toEqual([...ids].sort())
    expect(await signals.countDocuments()).toBe(MESSAGES)
    const broker = await openBroker()
    expect(await broker.depth(`${NAME}.raw.q`)).toBe(0)
    expect(await broker.depth(`${NAME}.dlx`)).toBe(0)
    expect(await archivedLetters(store.db)).toEqual([])
  })

  it('keeps its pods while the query has no value, and says so; a value of 0 ends them', async () => {
    await apply(example({ query: 'vector(2)', threshold: '1' }))
    await replicasBecome('be two', (count) => count === 2)

    await apply(example({ query: 'sum(no_such_series)', threshold: '1' }))
    const unknown = await eventually('the value to be unknown', 90, async () => {
      const { scaling } = (await read('xraypipeline', NAME, '-n', 'xray')).status
      return scaling.reason === 'BacklogUnknown' ? scaling : undefined
    })
    expect(unknown.inputs.problems).toMatchObject([{ reason: 'NoValue' }])
    expect(unknown.replicas.desired).toBe(2)
    // Longer than an idle pipeline keeps its pods.
    await delay(EXAMPLE.spec.signals.scaling.cooldownPeriod * 1_000 + 5_000)
    expect(await replicas()).toBe(2)

    await apply(example({ query: 'vector(0)', threshold: '1' }))
    await replicasBecome('go back to zero', (count) => count === 0)
    expect(await kubectl(['get', 'xraypipeline', NAME, '-n', 'xray', '-o', 'jsonpath={.status.scaling.reason}'])).toBe(
      'QueueEmpty',
    )
  })
})
