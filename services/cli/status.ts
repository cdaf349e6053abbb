import { ageOf } from './age.ts'
import { type ConditionView, conditionOf, type PipelineView } from './cluster.ts'
import type { Paint } from './paint.ts'
import { toTable } from './table.ts'

/** Conditions that are good news when they are False; of all others True is. */
const BAD_WHEN_TRUE = ['Degraded', 'Stalled', 'Paused']
/** They say that something moves, which is neither. */
const NEITHER = ['Progressing', 'Reconciling']
/** Somebody wanted it so, or it follows from what another condition says already. */
const WANTED = ['ScalingOff', 'FormerRelease', 'NotDecided']

/** True when a condition asks for somebody's attention. */
export const needsAttention = ({ type, status, reason }: ConditionView): boolean =>
  !NEITHER.includes(type) && !WANTED.includes(reason) && (status === 'True') === BAD_WHEN_TRUE.includes(type)

const isReady = (pipeline: PipelineView): boolean => conditionOf(pipeline, 'Ready')?.status === 'True'

const seen = ({ metadata, status }: PipelineView): boolean =>
  (status?.observedGeneration ?? -1) >= (metadata.generation ?? 0)

/** Ready by what the operator says of this generation, not of a former one. */
export const isHealthy = (pipeline: PipelineView): boolean => isReady(pipeline) && seen(pipeline)

const shown = (value: unknown, unit = ''): string =>
  typeof value === 'number' || typeof value === 'string' ? `${value}${unit}` : '-'

const listed = (values: Record<string, unknown> | undefined): string =>
  Object.entries(values ?? {})
    .filter(([, value]) => ['number', 'string'].includes(typeof value))
    .map(([name, value]) => `${name} ${value}`)
    .join(', ')

const stages = ({ spec, status }: PipelineView, wide: boolean): string => {
  const { components = {}, backlog, scaling } = status ?? {}
  const { publishRate, ackRate } = scaling?.inputs ?? {}
  const limits = spec.signals?.scaling
  const scaled = limits?.provider !== 'None' && limits !== undefined
  const row = (name: string, depth: string, incoming: string, outgoing: string, scale: string): string[] => {
    const component = components[name]
    const ready = component === undefined ? '-' : `${component.ready}/${component.desired}`
    return [name, ready, depth, incoming, outgoing, scale, ...(wide ? [component?.image ?? '-'] : [])]
  }
  return toTable(
    ['STAGE', 'READY', 'DEPTH', 'IN/S', 'OUT/S', 'SCALING', ...(wide ? ['IMAGE'] : [])],
    [
      row('producer', '-', '-', shown(publishRate), 'fixed'),
      row('queue', shown(backlog), shown(publishRate), shown(ackRate), '-'),
      row(
        'signals',
        '-',
        shown(ackRate),
        '-',
        scaled ? `${limits.minReplicaCount}..${limits.maxReplicaCount}` : 'fixed',
      ),
      row('api', '-', '-', '-', 'fixed'),
    ],
  )
}

/** What a person should look at, a line each, with the command that goes on from there. */
const attention = (pipeline: PipelineView): string[] => {
  const { metadata, status } = pipeline
  const dead = status?.deadLetters ?? 0
  return [
    ...(seen(pipeline)
      ? []
      : [`the operator has not seen generation ${metadata.generation} yet: xrayctl doctor tells whether it runs`]),
    ...(status?.conditions ?? [])
      .filter(needsAttention)
      .map(
        ({ type, status: holds, reason, message }) =>
          `${type}=${holds}, ${reason}: ${message} (xrayctl explain ${reason})`,
      ),
    ...(dead > 0 ? [`${dead} dead ${dead === 1 ? 'letter' : 'letters'}: xrayctl dlq list`] : []),
  ]
}

/** A pipeline in sections: what it is, its conditions, its stages, its scaling, and what needs attention. */
export const toSections = (pipeline: PipelineView, nowMs: number, wide: boolean, paint: Paint): string => {
  const { metadata, status } = pipeline
  const { conditions = [], scaling, observedGeneration = -1 } = status ?? {}
  const ready = conditionOf(pipeline, 'Ready')
  const state = isHealthy(pipeline) ? paint.good('Ready') : paint.bad(`not ready, ${ready?.reason ?? 'no status yet'}`)
  const painted = (condition: ConditionView): string => {
    const text = `${condition.type}=${condition.status}`
    return needsAttention(condition) ? paint.bad(text) : text
  }
  const terms = [
    listed(scaling?.terms),
    listed(scaling?.inputs),
    ...(scaling?.limits ?? []).map(({ name, from, to }) => `${name} ${from} -> ${to}`),
    scaling?.drainEtaSeconds === undefined ? '' : `empty in ${scaling.drainEtaSeconds} s`,
  ].filter((term) => term !== '')
  return [
    `Pipeline ${metadata.namespace}/${metadata.name}: ${state}   generation ${metadata.generation} (observed ${observedGeneration})   age ${ageOf(metadata.creationTimestamp, nowMs)}`,
    `Conditions ${conditions.map(painted).join('  ') || 'none yet'}`,
    '',
    stages(pipeline, wide),
    '',
    `Scaling ${scaling === undefined ? 'not decided' : `${scaling.reason}: ${scaling.message}`}`,
    ...(terms.length === 0 ? [] : [`        ${terms.join('; ')}`]),
    ...(wide
      ? [
          '',
          toTable(
            ['CONDITION', 'STATUS', 'SINCE', 'REASON', 'MESSAGE'],
            conditions.map(({ type, status: holds, reason, message, lastTransitionTime }) => [
              type,
              holds,
              ageOf(lastTransitionTime, nowMs),
              reason,
              message,
            ]),
          ),
        ]
      : []),
    ...attention(pipeline).map((line) => paint.odd(`! ${line}`)),
  ].join('\n')
}

/** Many pipelines, a line each. */
export const toList = (pipelines: readonly PipelineView[], nowMs: number): string =>
  toTable(
    ['NAMESPACE', 'NAME', 'READY', 'REASON', 'SIGNALS', 'BACKLOG', 'DLQ', 'AGE'],
    pipelines.map((pipeline) => {
      const { metadata, status } = pipeline
      const ready = conditionOf(pipeline, 'Ready')
      const signals = status?.components?.signals
      return [
        metadata.namespace ?? '',
        metadata.name,
        ready?.status ?? 'Unknown',
        ready?.reason ?? '-',
        signals === undefined ? '-' : `${signals.ready}/${signals.desired}`,
        shown(status?.backlog),
        shown(status?.deadLetters),
        ageOf(metadata.creationTimestamp, nowMs),
      ]
    }),
  )
