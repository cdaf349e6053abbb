import type { Registry } from 'prom-client'
import { expect, it } from 'vitest'
import { createMetrics as ofOperator } from '../../operator/metrics.ts'
import { createPipelineMetrics } from '../../operator/pipeline-metrics.ts'
import { createMetrics as ofApi } from '../../services/api/metrics.ts'
import { createMetrics as ofProducer } from '../../services/producer/metrics.ts'
import { createMetrics as ofSignals } from '../../services/signals/metrics.ts'

/** What prom-client knows of a metric; its types show less. */
type Described = { name: string; help: string; type: string; labelNames: string[]; upperBounds?: number[] }

const config = { SERVICE_VERSION: 'test', PREFETCH: 1, AMQP_QUEUE: 'q' }
const operator = ofOperator({ LEASE_NAME: 'test' }).registry
createPipelineMetrics(operator)
const REGISTRIES = {
  producer: ofProducer(config, () => 0).registry,
  signals: ofSignals(config, () => 0).registry,
  api: ofApi(config).registry,
  operator,
}

const ofTheProcess = /^(process|nodejs)_/
const described = (registry: { getMetricsAsArray: () => ReturnType<Registry['getMetricsAsArray']> }): Described[] =>
  (registry.getMetricsAsArray() as unknown as Described[]).filter(({ name }) => !ofTheProcess.test(name))

const table = (): string => {
  const metrics = new Map<string, Described & { components: string[] }>()
  for (const [component, registry] of Object.entries(REGISTRIES))
    for (const metric of described(registry)) {
      const known = metrics.get(metric.name)
      if (known === undefined) metrics.set(metric.name, { ...metric, components: [component] })
      else known.components.push(component)
    }
  const rows = [...metrics.values()]
    .sort((one, other) => one.name.localeCompare(other.name))
    .map(({ name, help, type, labelNames, upperBounds = [], components }) =>
      [`\`${name}\``, type, components.join(', '), labelNames.join(', '), upperBounds.join(' '), help].join(' | '),
    )
  return `# Metrics

Generated from the code; \`npx vitest run --project unit -u tests/architecture/metrics.test.ts\` writes it anew.
Every series also has the label \`component\`, and those of a pipeline's processes \`pipeline\` and \`pipeline_namespace\`.
The process's own (\`process_*\`, \`nodejs_*\`) are prom-client's.

| name | type | of | labels | buckets | what |
|---|---|---|---|---|---|
${rows.map((row) => `| ${row} |`).join('\n')}
`
}

it('the reference of the metrics is that of the code', () =>
  expect(table()).toMatchFileSnapshot('../../docs/metrics.md'))

it('no metric is labelled with a device, which would make a series of each', () => {
  const labels = Object.values(REGISTRIES).flatMap((registry) =>
    described(registry).flatMap(({ labelNames }) => labelNames),
  )
  expect(labels.filter((label) => /device|message|trace/.test(label))).toEqual([])
})

it.each(Object.entries(REGISTRIES))(
  'of %s, what an alert counts is there from the start, at 0',
  async (component, registry) => {
    const counters = (await registry.getMetricsAsJSON()).filter(
      ({ name, type }) => name.startsWith('xray_') && String(type) === 'counter',
    )
    for (const { name, values = [] } of counters as { name: string; values?: { value: number }[] }[])
      expect(values.length, `${component}: ${name}`).toBeGreaterThan(0)
  },
)
