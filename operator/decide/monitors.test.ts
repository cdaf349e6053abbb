import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { DEFAULTS } from '#contract/pipeline.ts'
import { type Alert, rulesOf } from './alerts.ts'
import { dashboardOf } from './dashboard.ts'
import { monitorsOf } from './monitors.ts'
import type { Pipeline } from './pipeline.ts'

const pipeline = (monitoring: Partial<Pipeline['spec']['monitoring']> = {}): Pipeline => ({
  apiVersion: 'xrayiot.dev/v1alpha1',
  kind: 'XRayPipeline',
  metadata: { name: 'leipzig', namespace: 'xray', uid: 'u1' },
  spec: { ...DEFAULTS, monitoring: { ...DEFAULTS.monitoring, ...monitoring } },
})

const groups = rulesOf(pipeline())
const rules = groups.flatMap((group) => group.rules)
const alerts = rules.filter((rule): rule is Alert => 'alert' in rule)
const panels = dashboardOf(pipeline()).panels
const expressions = [...rules, ...panels.flatMap(({ targets }) => targets)].map(({ expr }) => expr)

/** What every process tells by prom-client, which the list of our own leaves out. */
const PROCESS = ['process_resident_memory_bytes']
const table = readFileSync('docs/metrics.md', 'utf8')
const told = [...table.matchAll(/^\| `([a-z0-9_]+)` \| ([a-z]+) \|/gm)].flatMap(([, name, type]) =>
  type === 'histogram' ? ['_bucket', '_count', '_sum'].map((suffix) => `${name}${suffix}`) : [name as string],
)
const recorded = rules.flatMap((rule) => ('record' in rule ? [rule.record] : []))

describe('every expression', () => {
  it('asks only for metrics that a process tells, or that a rule records', () => {
    const asked = expressions.flatMap((expr) =>
      [...expr.matchAll(/([a-z_:0-9]+)\{/gi)].map(([, name]) => name as string),
    )
    expect(asked.length).toBeGreaterThan(100)
    expect([...new Set(asked)].filter((name) => ![...told, ...PROCESS, ...recorded].includes(name))).toEqual([])
  })
  it('asks for the series of this pipeline alone', () => {
    for (const expr of expressions)
      expect(expr.match(/\{/g)?.length).toBe(expr.match(/pipeline="leipzig",pipeline_namespace="xray"/g)?.length)
  })
})

describe('every alert', () => {
  it.each([...new Set(alerts.map(({ alert }) => alert))])('%s has a page for whoever is woken up by it', (name) => {
    const page = readFileSync(`docs/runbooks/alerts/${name}.md`, 'utf8')
    for (const part of [`# ${name}\n`, '## What it means', '## What to check', '## How to fix'])
      expect(page).toContain(part)
  })
  it('says how bad it is, what it is and where to read on', () => {
    for (const { labels, annotations, alert, for: lasting } of alerts) {
      expect(labels).toMatchObject({ severity: expect.stringMatching(/^(critical|warning)$/), pipeline: 'leipzig' })
      expect(annotations.runbook_url).toMatch(new RegExp(`/docs/runbooks/alerts/${alert}\\.md$`))
      expect(annotations.summary).not.toContain('{{')
      expect(lasting).toMatch(/^[0-9]+[mh]$/)
    }
  })
  it('is one of its kind', () => {
    const identities = alerts.map(({ alert, labels }) => JSON.stringify([alert, labels]))
    expect(new Set(identities).size).toBe(identities.length)
  })
})

describe('the dashboard', () => {
  it('has a title, a sentence and a unit on each panel, and no panel upon another', () => {
    for (const { title, description, fieldConfig, gridPos } of panels) {
      expect([title, description, fieldConfig.defaults.unit].every((text) => text.length > 0)).toBe(true)
      expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24)
    }
    expect(new Set(panels.map(({ gridPos: { x, y } }) => `${x} ${y}`)).size).toBe(panels.length)
  })
})

it.each([
  ['nothing when nothing is asked for', {}, []],
  ['each that is asked for', { serviceMonitor: true, prometheusRule: true }, ['ServiceMonitor', 'PrometheusRule']],
  ['no other', { prometheusRule: true, dashboard: true }, ['PrometheusRule']],
])('of the kinds that a cluster may lack there is %s', (_, monitoring, kinds) =>
  expect(monitorsOf(pipeline(monitoring)).map(({ intent }) => intent.kind)).toEqual(kinds),
)
