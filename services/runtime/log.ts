import { type Logger, pino } from 'pino'

export type { Logger }

/** JSON lines on standard output; secrets are masked wherever an object carries them. */
export const createLog = (component: string, level: string, bindings: Record<string, string> = {}): Logger =>
  pino({
    level,
    base: { component, ...bindings },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: ['authorization', 'signature', 'password', 'uri', 'token'].flatMap((name) => [name, `*.${name}`]),
  })
