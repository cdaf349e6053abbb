import { EXIT, Failure } from './failure.ts'

// yargs turns `--rate abc` into NaN and goes on; these throw.

/** A whole number within bounds. */
export const whole = (name: string, raw: string, low: number, high: number): number => {
  const value = /^[0-9]+$/.test(raw) ? Number(raw) : Number.NaN
  if (value >= low && value <= high) return value
  throw new Failure(EXIT.usage, `--${name}: expected a whole number from ${low} to ${high}, got "${raw}"`)
}

/** A positive number. */
export const positive = (name: string, raw: string): number => {
  const value = /^[0-9]+(\.[0-9]+)?$/.test(raw) ? Number(raw) : Number.NaN
  if (value > 0) return value
  throw new Failure(EXIT.usage, `--${name}: expected a number above 0, got "${raw}"`)
}

const UNITS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }
/** A hundred years: so far back there is a date. */
const LONGEST_MS = 876_000 * 3_600_000

/** A duration such as 30s, 5m or 1h, a hundred years at most, in ms. */
export const duration = (name: string, raw: string): number => {
  const [, digits, unit = ''] = /^([0-9]+)(ms|s|m|h)$/.exec(raw) ?? []
  const ms = Number(digits) * (UNITS[unit] ?? 1)
  if (ms > 0 && ms <= LONGEST_MS) return ms
  throw new Failure(EXIT.usage, `--${name}: expected a duration such as 30s or 5m, at most 876000h, got "${raw}"`)
}
