import { type Logger, pino } from 'pino'

export type { Logger }

/**
 * JSON lines on standard output; secrets are masked wherever an object carries them.
 * @param mixin what each line says besides, such as the active span
 */
export const createLog = (
  component: string,
  level: string,
  bindings: Record<string, string> = {},
  mixin?: () => Record<string, string>,
): Logger =>
  pino({
    level,
    base: { component, ...bindings },
    ...(mixin !== undefined && { mixin }),
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: ['authorization', 'signature', 'password', 'uri', 'token'].flatMap((name) => [name, `*.${name}`]),
  })
