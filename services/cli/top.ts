import type { PipelineView } from './cluster.ts'
import { toTable } from './table.ts'

/** What a pipeline has to do and what does it; null is not known. */
export type TopRow = {
  namespace: string
  name: string
  backlog: number | null
  /** Messages a second that arrive, and that are acknowledged. */
  publishRate: number | null
  ackRate: number | null
  /** Signals pods: ready ones, as many as there are to be now, and as many as were decided. */
  replicas: { ready: number | null; current: number | null; desired: number | null }
  /** Until the backlog is gone with the pods that are ready; null when it grows, or is not known. */
  drainEtaSeconds: number | null
  reason: string | null
  message: string | null
  /** When the figures of the decision were taken. */
  observedAt: string | null
}

export const SORTS = ['backlog', 'in', 'out', 'eta', 'name'] as const
export type Sort = (typeof SORTS)[number]

export const toRow = ({ metadata, status }: PipelineView): TopRow => {
  const { backlog, components, scaling } = status ?? {}
  const signals = components?.signals
  const { drain } = scaling ?? {}
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    backlog: backlog ?? null,
    publishRate: scaling?.inputs?.publishRate ?? null,
    ackRate: scaling?.inputs?.ackRate ?? null,
    replicas: {
      ready: signals?.ready ?? null,
      current: signals?.desired ?? null,
      desired: drain?.to ?? scaling?.replicas?.desired ?? null,
    },
    drainEtaSeconds: scaling?.drainEtaSeconds ?? null,
    reason: scaling?.reason ?? null,
    message: drain?.message ?? scaling?.message ?? null,
    observedAt: scaling?.observedAt ?? null,
  }
}

const FIGURES: Record<Exclude<Sort, 'name'>, (row: TopRow) => number> = {
  backlog: (row) => row.backlog ?? -1,
  in: (row) => row.publishRate ?? -1,
  out: (row) => row.ackRate ?? -1,
  // Work that will never be done at this rate comes first of all.
  eta: (row) => row.drainEtaSeconds ?? ((row.backlog ?? 0) > 0 ? Number.POSITIVE_INFINITY : -1),
}

/** The most first; of equals, and by name, in the order of the alphabet. */
export const sortRows = (rows: readonly TopRow[], by: Sort): TopRow[] => {
  const nameOf = ({ namespace, name }: TopRow) => `${namespace}/${name}`
  const byName = (one: TopRow, other: TopRow) => (nameOf(one) < nameOf(other) ? -1 : 1)
  if (by === 'name') return [...rows].sort(byName)
  const figure = FIGURES[by]
  return [...rows].sort((one, other) =>
    figure(one) === figure(other) ? byName(one, other) : figure(other) - figure(one),
  )
}

const shown = (value: number | string | null): string => String(value ?? '-')

const etaOf = ({ drainEtaSeconds, backlog }: TopRow): string => {
  if (drainEtaSeconds !== null) return `${drainEtaSeconds} s`
  return (backlog ?? 0) > 0 ? 'unknown' : '-'
}

const podsOf = ({ replicas: { ready, current, desired } }: TopRow): string => {
  const now = ready === null || current === null ? '-' : `${ready}/${current}`
  return desired === null || desired === current ? now : `${now} -> ${desired}`
}

/** A line for each pipeline. */
export const toTop = (rows: readonly TopRow[]): string =>
  toTable(
    ['NAMESPACE', 'NAME', 'BACKLOG', 'IN/S', 'OUT/S', 'SIGNALS', 'EMPTY IN', 'REASON', 'WHY'],
    rows.map((row) => [
      row.namespace,
      row.name,
      shown(row.backlog),
      shown(row.publishRate),
      shown(row.ackRate),
      podsOf(row),
      etaOf(row),
      shown(row.reason),
      shown(row.message),
    ]),
  )
