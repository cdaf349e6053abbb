import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

/** A registry with the process's own metrics, all labelled with the component. */
export const createRegistry = (component: string, version: string): Registry => {
  const registry = new Registry()
  registry.setDefaultLabels({ component })
  collectDefaultMetrics({ register: registry })
  new Gauge({
    name: 'xray_build_info',
    help: 'The version that runs',
    labelNames: ['version', 'node'],
    registers: [registry],
  })
    .labels(version, process.version)
    .set(1)
  return registry
}

/** A counter whose label values are there from the start, so that rate() sees the first event. */
export const counter = <L extends string>(
  registry: Registry,
  name: string,
  help: string,
  label: L,
  values: readonly string[],
): Counter<L> => {
  const made = new Counter<L>({ name, help, labelNames: [label], registers: [registry] })
  for (const value of values) made.inc({ [label]: value } as Partial<Record<L, string>>, 0)
  return made
}

/** A histogram in seconds. */
export const histogram = <L extends string>(
  registry: Registry,
  name: string,
  help: string,
  labelNames: readonly L[],
  buckets: number[],
): Histogram<L> => new Histogram<L>({ name, help, labelNames, buckets, registers: [registry] })
