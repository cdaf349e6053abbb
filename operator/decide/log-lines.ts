/** A status is no log: enough to see what is wrong, and to know where to look on. */
const MOST_LINES = 3
const LONGEST_LINE = 240

/** What differs from one start of a process to the next, or must not be shown to whoever may read a status. */
const VARYING: readonly (readonly [RegExp, string])[] = [
  [/:\/\/[^@\s/]+@/g, '://…@'],
  [/\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?/g, '…'],
  [/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi, '…'],
  [/\b(?=[0-9a-f]*[0-9])[0-9a-f]{12,}\b/gi, '…'],
  [/\b\d{5,}\b/g, '…'],
  [/\b\d+(?:\.\d+)? ?(?:ms|s)\b/g, '…'],
]

/** What the kubelet answers in place of the log of a container that is gone. */
const GONE = /^unable to retrieve container logs/

type Line = { level: string; text: string }

/** A line of our own processes is JSON; one that Node or another program wrote is taken as it is. */
const readLine = (raw: string): Line => {
  try {
    const {
      level = '',
      msg = '',
      err,
    } = JSON.parse(raw) as { level?: unknown; msg?: unknown; err?: { message?: string } }
    const text = [msg, err?.message].filter((part) => typeof part === 'string' && part !== '')
    return { level: String(level), text: [...new Set(text)].join(': ') }
  } catch {
    return { level: /\b(error|fatal|panic)\b/i.test(raw) ? 'error' : '', text: raw.trim() }
  }
}

/**
 * The last lines of a log that tell why its process ended, one after the other: errors if there are any, else whatever
 * came last. They hold no times, no ids and no passwords, so that the same failure always gives the same text.
 */
export const lastLines = (log: string): string => {
  const lines = log
    .split('\n')
    .filter((line) => line.trim() !== '' && !GONE.test(line))
    .map(readLine)
    .filter(({ text }) => text !== '')
  const errors = lines.filter(({ level }) => level === 'error' || level === 'fatal')
  const texts = (errors.length > 0 ? errors : lines).map(({ text }) =>
    VARYING.reduce((shown, [pattern, instead]) => shown.replace(pattern, instead), text).slice(0, LONGEST_LINE),
  )
  return [...new Set(texts)].slice(-MOST_LINES).join(' | ')
}
