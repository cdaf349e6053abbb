import { topologySpecOf } from '#contract/pipeline.ts'
import { type TopologyNames, topologyNames } from '#contract/topology.ts'
import type { Pipeline } from './pipeline.ts'

/** PromQL over the series of one pipeline. */
export type Figures = {
  names: TopologyNames
  /** The series of a metric, with further matchers. */
  of: (metric: string, matchers?: string) => string
  /** The sum of the rates of a counter, per second; of one that is not there it is nothing. */
  rate: (counter: string, window: string, matchers?: string) => string
  /** Messages in queues that are ready, or in whatever state. */
  messages: (queues: readonly string[], state?: 'ready') => string
}

const escaped = (name: string): string => name.replace(/[.+*?^$()[\]{}|\\]/g, '\\\\$&')

export const figuresOf = (pipeline: Pipeline): Figures => {
  const { name, namespace = '' } = pipeline.metadata
  const own = `pipeline="${name}",pipeline_namespace="${namespace}"`
  const of = (metric: string, matchers?: string) => `${metric}{${own}${matchers === undefined ? '' : `,${matchers}`}}`
  return {
    names: topologyNames(topologySpecOf(pipeline.spec)),
    of,
    rate: (counter, window, matchers) => `sum(rate(${of(counter, matchers)}[${window}]))`,
    messages: (queues, state) =>
      `sum(${of('xray_queue_messages', `queue=~"${queues.map(escaped).join('|')}"${state === undefined ? '' : `,state="${state}"`}`)})`,
  }
}
