import { createHash } from 'node:crypto'
import { Agent, request } from 'undici'
import type { PrometheusTrigger, Scaling } from '#contract/scaling/block.ts'
import { triggerName } from '#contract/scaling/demand.ts'
import type { TriggerProblem } from '#contract/scaling/reasons.ts'
import { createRecent } from './recent.ts'
import { SecretProblem, type Secrets } from './secrets.ts'

export type Values = {
  /** The values of a pipeline's prometheus triggers by their names; undefined where one is not known. */
  metrics: Record<string, number | undefined>
  /** Why each of those is not known. */
  problems: TriggerProblem[]
}

export type Prometheus = {
  ask: (namespace: string, scaling: Scaling) => Promise<Values>
  close: () => Promise<void>
}

const LIMIT_MS = 3_000

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

/** What is sent along, and what the server is known by. */
type Credentials = { authorization?: string; ca?: string }
type Outcome = { value: number } | Omit<TriggerProblem, 'name'>

/** @throws SecretProblem when the Secret, or a key that is needed, is missing */
const credentialsOf = async (
  secrets: Pick<Secrets, 'fields'>,
  namespace: string,
  { metadata, authenticationRef }: PrometheusTrigger,
): Promise<Credentials> => {
  if (authenticationRef === undefined) return {}
  const { authModes } = metadata
  const keys = { bearer: ['bearerToken'], basic: ['username', 'password'], none: ['ca'] }[authModes ?? 'none']
  const { bearerToken, username, password, ca } = await secrets.fields(namespace, authenticationRef.name, keys)
  const authorization = {
    bearer: `Bearer ${bearerToken?.trim()}`,
    basic: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`,
    none: undefined,
  }[authModes ?? 'none']
  return { ...(authorization !== undefined && { authorization }), ...(ca !== undefined && { ca }) }
}

/** What a transport's error says, without addresses and ports that change from one try to the next. */
const codeOf = (error: unknown): string => (error as { code?: string }).code ?? (error as Error).name

const query = async (
  { serverAddress, query: expression }: PrometheusTrigger['metadata'],
  { authorization }: Credentials,
  dispatcher: Agent,
): Promise<Outcome> => {
  try {
    const url = new URL(`${serverAddress.replace(/\/+$/, '')}/api/v1/query`)
    url.searchParams.set('query', expression)
    const { statusCode, body } = await request(url, {
      dispatcher,
      signal: AbortSignal.timeout(LIMIT_MS),
      headers: authorization === undefined ? {} : { authorization },
    })
    const text = await body.text()
    if (statusCode === 401 || statusCode === 403)
      return { reason: 'CredentialsRefused', message: `the server answers ${statusCode}` }
    if (statusCode >= 500) return { reason: 'NoAnswer', message: `the server answers ${statusCode}` }
    const value = valueIn(JSON.parse(text) as Answer)
    return value === undefined
      ? {
          reason: 'NoValue',
          message: 'the answer is not one number: look whether the query is right and its target is up',
        }
      : { value }
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError)
      return { reason: 'NoValue', message: 'the answer is not what Prometheus answers' }
    return { reason: 'NoAnswer', message: `the server does not answer: ${codeOf(error)}` }
  }
}

/**
 * Asks each query at most once in a polling interval, whoever wants its value and asks with the same credentials. A
 * server that does not answer within 3 s, or answers anything but one number, leaves the value unknown: a finding, no
 * failure. Answers and connections that nobody has asked for in ten minutes are let go.
 */
export const createPrometheus = (secrets: Pick<Secrets, 'fields'>): Prometheus => {
  const known = createRecent<{ atMs: number; outcome: Promise<Outcome> }>(Date.now)
  /** One for each authority, and one for all servers without. */
  const agents = createRecent<Agent>(Date.now, (agent) => void agent.destroy())
  const agentOf = (ca = ''): Agent => {
    const agent = agents.get(ca) ?? new Agent(ca === '' ? {} : { connect: { ca } })
    agents.set(ca, agent)
    return agent
  }

  const lookUp = (metadata: PrometheusTrigger['metadata'], credentials: Credentials, maxAgeMs: number) => {
    const nowMs = Date.now()
    const by = createHash('sha256').update(JSON.stringify(credentials)).digest('base64')
    const key = `${metadata.serverAddress}\n${metadata.query}\n${by}`
    const last = known.get(key)
    if (last !== undefined && nowMs - last.atMs < maxAgeMs) return last.outcome
    const outcome = query(metadata, credentials, agentOf(credentials.ca))
    known.set(key, { atMs: nowMs, outcome })
    return outcome
  }

  const ask = async (namespace: string, trigger: PrometheusTrigger, maxAgeMs: number): Promise<Outcome> => {
    try {
      return await lookUp(trigger.metadata, await credentialsOf(secrets, namespace, trigger), maxAgeMs)
    } catch (error) {
      if (!(error instanceof SecretProblem)) throw error
      return { reason: 'SecretMissing', message: error.message }
    }
  }

  return {
    ask: async (namespace, { triggers, pollingInterval, provider }) => {
      const asked = triggers.flatMap((trigger, index) =>
        trigger.type === 'prometheus' && provider === 'Native' ? [{ name: triggerName(trigger, index), trigger }] : [],
      )
      const outcomes = await Promise.all(
        asked.map(async ({ name, trigger }) => ({
          name,
          outcome: await ask(namespace, trigger, pollingInterval * 900),
        })),
      )
      return {
        metrics: Object.fromEntries(
          outcomes.map(({ name, outcome }) => [name, 'value' in outcome ? outcome.value : undefined]),
        ),
        problems: outcomes.flatMap(({ name, outcome }) => ('value' in outcome ? [] : [{ name, ...outcome }])),
      }
    },
    close: async () => {
      await Promise.all([...agents.values()].map((agent) => agent.destroy()))
    },
  }
}
