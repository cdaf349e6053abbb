import type { Paint } from './paint.ts'

/** pino's levels, from what is told least. */
export const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const
export type Level = (typeof LEVELS)[number]

/** A line of a pod's log. `at` is the kubelet's time, to the nanosecond and as long as any other, so it sorts as text. */
export type LogLine = { at: string; source: string; text: string; fields: Record<string, unknown> | undefined }

export type LogFilter = { level: Level | undefined; device: string | undefined; messageId: string | undefined }

const fieldsOf = (text: string): Record<string, unknown> | undefined => {
  if (!text.startsWith('{')) return undefined
  try {
    return JSON.parse(text) as Record<string, unknown>
  } catch {
    return undefined
  }
}

/** Reads a line that the API server gave with its time before it. */
export const readLogLine = (source: string, line: string): LogLine => {
  const space = line.indexOf(' ')
  const text = line.slice(space + 1)
  return { at: line.slice(0, space), source, text, fields: fieldsOf(text) }
}

/** What is no JSON has no level: it is what a process says when it dies, and passes every level. */
export const passes = ({ text, fields }: LogLine, { level, device, messageId }: LogFilter): boolean => {
  const rank = LEVELS.indexOf(fields?.level as Level)
  return (
    (level === undefined || rank === -1 || rank >= LEVELS.indexOf(level)) &&
    (device === undefined || text.includes(device)) &&
    (messageId === undefined || text.includes(messageId))
  )
}

const OWN = ['level', 'time', 'component', 'msg', 'err']

const shown = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value))

/** A line as a person reads it: time, level, what, the other fields, and what an error was. */
export const pretty = ({ at, text, fields }: LogLine, paint: Paint): string => {
  const time = paint.faint(at.slice(11, 23))
  if (fields === undefined) return `${time}       ${text}`
  const level = String(fields.level ?? '')
  const mark = ['error', 'fatal'].includes(level) ? paint.bad : level === 'warn' ? paint.odd : paint.faint
  const rest = Object.entries(fields)
    .filter(([name]) => !OWN.includes(name))
    .map(([name, value]) => paint.faint(`${name}=${shown(value)}`))
  const error = fields.err as { message?: string } | undefined
  return [
    time,
    mark(level.toUpperCase().padEnd(5)),
    shown(fields.msg ?? ''),
    ...rest,
    ...(error?.message === undefined ? [] : [paint.bad(error.message)]),
  ].join(' ')
}
