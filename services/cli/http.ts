import type { Problem } from '#contract/problem.ts'
import { EXIT, exitOf, Failure } from './failure.ts'

const LIMIT_MS = 30_000

/** Fetches; a server that cannot be reached is told with its address. */
export const call = (url: string, init: RequestInit = {}): Promise<Response> =>
  fetch(url, { ...init, signal: AbortSignal.timeout(LIMIT_MS) }).catch((error: Error & { cause?: Error }) => {
    throw new Failure(
      EXIT.unreachable,
      `${new URL(url).origin} cannot be reached: ${error.cause?.message ?? error.message}`,
    )
  })

/** A path at the address of a setting. @throws Failure usage when it is no address of a web server */
export const addressOf = (base: string, path: string): string => {
  const url = URL.parse(path, base)
  if (url !== null && ['http:', 'https:'].includes(url.protocol)) return url.href
  throw new Failure(EXIT.usage, `expected an address such as http://127.0.0.1:30080, got "${base}"`)
}

/** What a problem says, in one line for each fault. */
export const problemText = (status: number, problem: Partial<Problem>): string =>
  [
    `${status} ${problem.code ?? ''}: ${problem.detail ?? problem.title ?? 'no reason given'}`,
    ...(problem.errors ?? [])
      .filter(({ pointer }) => pointer !== undefined)
      .map(({ pointer, detail }) => `  at ${pointer || '/'}: ${detail}`),
  ].join('\n')

/** Asks the API with its token. @throws Failure with the problem's text */
export const askApi = async (
  base: string,
  path: string,
  token: string,
  init: { method?: string; body?: string } = {},
): Promise<Response> => {
  const headers = {
    authorization: `Bearer ${token}`,
    ...(init.body !== undefined && { 'content-type': 'application/json' }),
  }
  const response = await call(addressOf(base, path), { ...init, headers })
  if (response.ok) return response
  const problem = (await response.json().catch(() => ({}))) as Partial<Problem>
  throw new Failure(exitOf(response.status), `the API answered ${problemText(response.status, problem)}`)
}
