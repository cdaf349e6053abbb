import { Counter, collectDefaultMetrics, Gauge, Histogram, type OpenMetricsContentType, Registry } from 'prom-client'

export type Metrics = Registry<OpenMetricsContentType>

/** What of a process's configuration its metrics are labelled with. */
export type Labelled = { SERVICE_VERSION: string; PIPELINE_NAME?: string; PIPELINE_NAMESPACE?: string }

/** Names the span that made an observation. */
export type Exemplar = Record<string, string> | undefined

/**
 * A registry with the process's own metrics, all labelled with the component and its pipeline. It is written as
 * OpenMetrics, the only form that has exemplars.
 */
export const createRegistry = (component: string, config: Labelled): Metrics => {
  const registry: Metrics = new Registry<OpenMetricsContentType>()
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE)
  registry.setDefaultLabels({
    component,
    ...(config.PIPELINE_NAME !== undefined && { pipeline: config.PIPELINE_NAME }),
    ...(config.PIPELINE_NAMESPACE !== undefined && { pipeline_namespace: config.PIPELINE_NAMESPACE }),
  })
  collectDefaultMetrics({ register: registry })
  new Gauge({
    name: 'xray_build_info',
    help: 'The version that runs',
    labelNames: ['version', 'node'],
    registers: [registry],
  })
    .labels(config.SERVICE_VERSION, process.version)
    .set(1)
  return registry
}

/** A counter whose label values are there from the start, so that rate() sees the first event. */
export const counter = <L extends string>(
  registry: Metrics,
  name: string,
  help: string,
  label: L,
  values: readonly string[],
): Counter<L> => {
  const made = new Counter<L>({ name, help, labelNames: [label], registers: [registry] })
  for (const value of values) made.inc({ [label]: value } as Partial<Record<L, string>>, 0)
  return made
}

/** A gauge that is asked for its value when it is read. */
export const gauge = (registry: Metrics, name: string, help: string, value: () => number): void =>
  void new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      this.set(value())
    },
  })

export type Observer = {
  /** @param exemplar of a sampled span, which costs a microsecond; without one it is a fifth of that */
  observe: (labels: Record<string, string>, value: number, exemplar?: Exemplar) => void
}

/**
 * A histogram with exemplars.
 * @param known label sets that are there from the start
 */
export const histogram = <L extends string>(
  registry: Metrics,
  name: string,
  help: string,
  labelNames: readonly L[],
  buckets: readonly number[],
  known: Record<L, string>[] = [],
): Observer => {
  const made = new Histogram<string>({
    name,
    help,
    labelNames,
    buckets: [...buckets],
    registers: [registry],
    enableExemplars: true,
  })
  for (const labels of known) made.zero(labels)
  return {
    observe: (labels, value, exemplar) =>
      made.observe({ labels, value, ...(exemplar !== undefined && { exemplarLabels: exemplar }) }),
  }
}
