/** One dependency: undefined when it answers, else why not. */
export type DependencyCheck = () => Promise<string | undefined>

export type Health = {
  status: 'ok' | 'degraded' | 'down'
  timestamp: string
  uptime: number
  version: string
  checks?: Record<string, { status: 'up' | 'down'; latencyMs: number; detail?: string }>
}

/**
 * Asks every dependency. Without the store nothing can be served: `down`; without another, reading goes on: `degraded`.
 * @param detailed false leaves the dependencies out: they are nobody's business without a token
 */
export const checkHealth = async (
  dependencies: Record<string, DependencyCheck>,
  process: { now: () => number; uptimeSeconds: () => number; version: string },
  detailed: boolean,
): Promise<Health> => {
  const checks = await Promise.all(
    Object.entries(dependencies).map(async ([name, check]) => {
      const startedAt = process.now()
      const problem = await check().catch((error: Error) => error.message)
      const state = {
        status: problem === undefined ? ('up' as const) : ('down' as const),
        latencyMs: process.now() - startedAt,
      }
      return [name, { ...state, ...(problem !== undefined && { detail: problem.slice(0, 200) }) }] as const
    }),
  )
  const down = checks.filter(([, { status }]) => status === 'down').map(([name]) => name)
  return {
    status: down.includes('mongodb') ? 'down' : down.length > 0 ? 'degraded' : 'ok',
    timestamp: new Date(process.now()).toISOString(),
    uptime: Math.round(process.uptimeSeconds()),
    version: process.version,
    ...(detailed && { checks: Object.fromEntries(checks) }),
  }
}
