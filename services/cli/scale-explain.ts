import { parse } from 'yaml'
import { SCALING_DEFAULTS, type Scaling } from '#contract/scaling/block.ts'
import { SCALING_REASONS } from '#contract/scaling/reasons.ts'
import { replay, type ScalingStatus } from '#contract/scaling/status.ts'
import { EXIT, Failure } from './failure.ts'
import { toTable } from './table.ts'

/** A decision that was shown, and the block that it is to be made by again; `assumed`: the defaults, for want of one. */
export type Shown = { status: ScalingStatus; block: Scaling; assumed: boolean }

type Pasted = {
  spec?: { signals?: { scaling?: Partial<Scaling> } }
  status?: { scaling?: Partial<ScalingStatus> }
  scaling?: Partial<ScalingStatus>
} & Partial<ScalingStatus>

/**
 * Reads what somebody pasted: a pipeline whole, its status, or `status.scaling` alone, as YAML or JSON.
 * @throws Failure usage, when it holds no decision that can be made again
 */
export const readShown = (text: string, from: string): Shown => {
  let pasted: Pasted | null
  try {
    pasted = parse(text) as Pasted | null
  } catch (error) {
    throw new Failure(EXIT.usage, `${from} is no YAML: ${(error as Error).message.split('\n')[0]}`)
  }
  const status = pasted?.status?.scaling ?? pasted?.scaling ?? pasted
  const isWhole =
    status?.replicas !== undefined &&
    status.inputs !== undefined &&
    status.bounds !== undefined &&
    status.pauses !== undefined
  if (!isWhole)
    throw new Failure(
      EXIT.usage,
      `${from} holds no decision: expected a pipeline with status.scaling, such as kubectl get xrp NAME -o yaml prints`,
    )
  const block = pasted?.spec?.signals?.scaling
  return {
    status: { limits: [], history: [], ...status } as ScalingStatus,
    block: { ...SCALING_DEFAULTS, ...block },
    assumed: block === undefined,
  }
}

const inputRows = ({ inputs, statsAgeSeconds }: ScalingStatus): string[][] => {
  const { serviceRate, metrics = [], problems = [], elsewhere, ...plain } = inputs
  const rows = Object.entries(plain).map(([name, value]) => [name, String(value)])
  return [
    ...(statsAgeSeconds === undefined ? [] : [['statsAgeSeconds', String(statsAgeSeconds)]]),
    ...rows,
    serviceRate === undefined
      ? ['serviceRate', 'not learnt yet']
      : ['serviceRate', `${serviceRate.value}/s, ${serviceRate.source}, ${serviceRate.samples} samples`],
    ...metrics.map(({ name, value }) => [name, String(value)]),
    ...problems.map(({ name, reason, message }) => [name, `${reason}: ${message}`]),
    ...(elsewhere === undefined ? [] : [['elsewhere', `${elsewhere.reason}: ${elsewhere.message}`]]),
  ]
}

/**
 * A decision as a person reads it: what was known, how the sum came about, what limited it, and that it is the same when
 * it is made again.
 * @returns the text, and whether it was the same
 */
export const toExplanation = ({ status, block, assumed }: Shown): { text: string; same: boolean } => {
  const { replicas, reason, limits, terms, history } = status
  const again = replay(status, block)
  const same = again.desired === replicas.desired && again.reason === reason
  const by = assumed ? 'the defaults, because what was read names no spec' : 'spec.signals.scaling'
  const sections = [
    `${status.observedAt}: ${status.message}\n${reason}: ${SCALING_REASONS[reason] ?? 'of another release'}`,
    toTable(['KNOWN', 'VALUE'], inputRows(status)),
    toTable(
      ['STEP', 'PODS'],
      [
        ['current', String(replicas.current)],
        ['ready', String(replicas.ready)],
        ...Object.entries(terms ?? {}).map(([name, value]) => [`  ${name}`, String(value)]),
        ['asked for', String(replicas.raw)],
        ...limits.map(({ name, from, to }) => [`  ${name}`, `${from} -> ${to}`]),
        ['desired', String(replicas.desired)],
      ],
    ),
    history.length === 0
      ? 'No change before.'
      : toTable(
          ['CHANGED', 'FROM', 'TO', 'REASON'],
          history.map(({ at, from, to, reason: why }) => [at, String(from), String(to), why]),
        ),
    same
      ? `Made again by ${by}: ${again.desired}, ${again.reason}, the same.`
      : `Made again by ${by}: ${again.desired}, ${again.reason}, another one: the block or the release has changed since.\n${again.message}`,
  ]
  return { text: sections.join('\n\n'), same }
}
