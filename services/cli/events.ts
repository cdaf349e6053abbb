import type { KubeObject } from './kube.ts'

/** An event of `events.k8s.io/v1`, also one that an older client wrote. */
export type EventView = KubeObject & {
  type?: string
  reason?: string
  note?: string
  eventTime?: string | null
  series?: { count: number; lastObservedTime: string } | null
  deprecatedLastTimestamp?: string | null
  deprecatedCount?: number
  regarding?: { kind?: string; name?: string; namespace?: string }
}

/** What xrayctl tells of an event. */
export type EventLine = { at: string; type: string; reason: string; object: string; count: number; message: string }

/** A child is named after its pipeline and its component; what is there no longer is known by its name only. */
const isChildOf = (pipeline: string, name: string): boolean =>
  ['producer', 'signals', 'api', 'keys'].some(
    (component) => name === `${pipeline}-${component}` || name.startsWith(`${pipeline}-${component}-`),
  )

/**
 * True of events of a pipeline, and of what it owns or owned: of two pipelines whose names begin alike, the longer
 * name has its children.
 * @param pipelines the names of all in the namespace
 */
export const concerns = ({ regarding = {} }: EventView, pipeline: string, pipelines: readonly string[]): boolean => {
  const { kind, name = '' } = regarding
  if (kind === 'XRayPipeline') return name === pipeline
  const [owner] = [...new Set([pipeline, ...pipelines])]
    .filter((candidate) => isChildOf(candidate, name))
    .sort((one, other) => other.length - one.length)
  return owner === pipeline
}

export const toEventLine = (event: EventView): EventLine => ({
  at:
    event.series?.lastObservedTime ??
    event.deprecatedLastTimestamp ??
    event.eventTime ??
    event.metadata.creationTimestamp ??
    '',
  type: event.type ?? '',
  reason: event.reason ?? '',
  object: `${event.regarding?.kind ?? ''}/${event.regarding?.name ?? ''}`,
  count: event.series?.count ?? event.deprecatedCount ?? 1,
  message: (event.note ?? '').trim().replaceAll(/\s+/g, ' '),
})

/** Oldest first; some events are to the second and some to the microsecond. */
export const inOrder = (lines: EventLine[]): EventLine[] =>
  [...lines].sort((one, other) => Date.parse(one.at) - Date.parse(other.at))
