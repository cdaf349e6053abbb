/** The configuration is wrong; the message lists every problem. The process ends with 78 (EX_CONFIG of sysexits.h). */
export class ConfigError extends Error {
  override name = 'ConfigError'
}

export const EXIT_CONFIG = 78

/** Reads one variable: its value, or what was expected. */
export type Rule<T> = (raw: string | undefined) => { value: T } | { expected: string }

/** Any text but none. */
export const text =
  (fallback?: string): Rule<string> =>
  (raw) => {
    const value = raw === undefined || raw === '' ? fallback : raw
    return value === undefined ? { expected: 'a value' } : { value }
  }

/** A whole number from `low` to `high`. */
export const integer =
  (low: number, high: number, fallback?: number): Rule<number> =>
  (raw) => {
    const value = raw === undefined || raw === '' ? fallback : /^[0-9]+$/.test(raw) ? Number(raw) : undefined
    if (value === undefined || value < low || value > high) return { expected: `an integer from ${low} to ${high}` }
    return { value }
  }

/** Whole numbers with commas between them. */
export const integers =
  (fallback: string): Rule<number[]> =>
  (raw = fallback) =>
    /^[0-9]+(,[0-9]+)*$/.test(raw) ? { value: raw.split(',').map(Number) } : { expected: 'integers such as 1000,2000' }

/** A URL of one of these schemes. */
export const url =
  (...schemes: string[]): Rule<string> =>
  (raw = '') =>
    URL.canParse(raw) && schemes.includes(new URL(raw).protocol.slice(0, -1))
      ? { value: raw }
      : { expected: `a URL that starts with ${schemes.map((scheme) => `${scheme}://`).join(' or ')}` }

/** A value with a password in it must not be repeated in a message. */
const shown = (name: string, raw: string | undefined): string => {
  if (raw === undefined) return 'nothing'
  return /_URI$|TOKEN|PASSWORD/.test(name) ? 'something else' : `"${raw}"`
}

/**
 * Reads the environment by rules, flat and once.
 * @throws ConfigError with all problems at once
 */
export const readEnv = <T extends Record<string, unknown>>(
  env: Record<string, string | undefined>,
  rules: { [K in keyof T & string]: Rule<T[K]> },
): T => {
  const problems: string[] = []
  const values: Record<string, unknown> = {}
  for (const [name, rule] of Object.entries<Rule<unknown>>(rules)) {
    const read = rule(env[name])
    if ('value' in read) values[name] = read.value
    else problems.push(`${name}: expected ${read.expected}, got ${shown(name, env[name])}`)
  }
  if (problems.length > 0)
    throw new ConfigError(
      `${problems.length} problem${problems.length > 1 ? 's' : ''} in the environment: ${problems.join('; ')}`,
    )
  return values as T
}
