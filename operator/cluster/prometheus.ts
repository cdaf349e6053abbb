import type { Scaling } from '#contract/scaling/block.ts'
import { triggerName } from '#contract/scaling/demand.ts'

/** The values of a pipeline's prometheus triggers by their names; undefined where one is not known. */
export type Prometheus = { ask: (scaling: Scaling) => Promise<Record<string, number | undefined>> }

const LIMIT_MS = 3_000
/** An answer that nobody has asked for again after so long is forgotten. */
const KEPT_MS = 600_000

type Answer = { status?: string; data?: { resultType?: string; result?: unknown } }
type Pair = [timestamp: number, value: string]

/**
 * The one value in an answer to an instant query: of a scalar, or of a vector of one. None, several, NaN and infinity
 * are undefined: a target that is lost must not look like an idle one.
 */
export const valueIn = ({ status, data }: Answer): number | undefined => {
  if (status !== 'success' || !Array.isArray(data?.result)) return undefined
  const pairs =
    data.resultType === 'scalar'
      ? [data.result as Pair]
      : (data.result as { value?: Pair }[]).map(({ value }) => value ?? [0, ''])
  const [only, more] = pairs
  const value = only === undefined || more !== undefined || only[1] === '' ? Number.NaN : Number(only[1])
  return Number.isFinite(value) ? value : undefined
}

const query = async (serverAddress: string, expression: string): Promise<number | undefined> => {
  const url = new URL(`${serverAddress.replace(/\/+$/, '')}/api/v1/query`)
  url.searchParams.set('query', expression)
  const answer = await fetch(url, { signal: AbortSignal.timeout(LIMIT_MS) })
  return valueIn((await answer.json()) as Answer)
}

/**
 * Asks each query at most once in a polling interval, whoever wants its value. A server that does not answer within 3 s,
 * or answers anything but one number, leaves the value unknown: a finding, no failure.
 */
export const createPrometheus = (): Prometheus => {
  const known = new Map<string, { atMs: number; value: Promise<number | undefined> }>()
  const lookUp = (serverAddress: string, expression: string, maxAgeMs: number): Promise<number | undefined> => {
    const nowMs = Date.now()
    for (const [key, { atMs }] of known) if (nowMs - atMs > KEPT_MS) known.delete(key)
    const key = `${serverAddress}\n${expression}`
    const last = known.get(key)
    if (last !== undefined && nowMs - last.atMs < maxAgeMs) return last.value
    const value = query(serverAddress, expression).catch(() => undefined)
    known.set(key, { atMs: nowMs, value })
    return value
  }
  return {
    ask: async ({ triggers, pollingInterval, provider }) => {
      const asked = triggers.flatMap((trigger, index) =>
        trigger.type === 'prometheus' && provider === 'Native'
          ? [{ name: triggerName(trigger, index), ...trigger.metadata }]
          : [],
      )
      const values = await Promise.all(
        asked.map(({ serverAddress, query: expression }) => lookUp(serverAddress, expression, pollingInterval * 900)),
      )
      return Object.fromEntries(asked.map(({ name }, index) => [name, values[index]]))
    },
  }
}
