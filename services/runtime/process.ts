import { ConfigError, EXIT_CONFIG } from './env.ts'
import { createLog, type Logger } from './log.ts'
import { type Ending, shutDown, untilSignalled } from './shut-down.ts'
import { FLUSH_LIMIT_MS, startTracing, type Tracing } from './tracing.ts'

/** The longest that one step of a shut-down may take. */
const ENDING_LIMIT_MS = 20_000

/**
 * The life of a process: read the configuration, start, wait for SIGTERM, end in order, the export of spans last.
 * One that is told to end while it starts ends at once: a start may wait for a store for ever, and as the first process
 * of a container it would not even be ended by the signal.
 * A wrong configuration ends it with 78 and one line that names every problem, a failed start with 1.
 * @param start returns what must be ended, in that order
 */
export const runProcess = async <Config extends { LOG_LEVEL: string }>(
  component: string,
  env: Record<string, string | undefined>,
  readConfig: (env: Record<string, string | undefined>) => Config,
  start: (config: Config, log: Logger, tracing: Tracing | undefined) => Promise<Ending[]>,
): Promise<void> => {
  let log = createLog(component, 'info')
  const signalled = untilSignalled()
  try {
    const config = readConfig(env)
    const tracing = await startTracing(component, env, (problem) => log.warn(`traces: ${problem}`))
    log = createLog(component, config.LOG_LEVEL, {}, tracing?.activeFields)
    const endings = await Promise.race([start(config, log, tracing), signalled.then(() => [])])
    log.info({ signal: await signalled }, 'shutting down')
    await shutDown(log, endings, ENDING_LIMIT_MS)
    if (tracing !== undefined) await shutDown(log, [['export the last spans', tracing.shutdown]], FLUSH_LIMIT_MS)
    log.info('ended')
    process.exit(0)
  } catch (error) {
    log.fatal(error instanceof ConfigError ? error.message : { err: error }, 'cannot start')
    process.exit(error instanceof ConfigError ? EXIT_CONFIG : 1)
  }
}
