const UNITS = [
  ['d', 86_400],
  ['h', 3_600],
  ['m', 60],
  ['s', 1],
] as const

/** How long it is from one time to another, in its two largest units: 3h12m; - when a time is not known. */
export const ageOf = (since: string | undefined, nowMs: number): string => {
  const fromMs = Date.parse(since ?? '')
  if (Number.isNaN(fromMs)) return '-'
  const seconds = Math.max(0, Math.floor((nowMs - fromMs) / 1000))
  const index = UNITS.findIndex(([, size]) => seconds >= size)
  const [unit, size] = UNITS[index] ?? ['s', 1]
  const [nextUnit, nextSize] = UNITS[index + 1] ?? ['', 1]
  const rest = index === -1 ? 0 : Math.floor((seconds % size) / nextSize)
  return `${Math.floor(seconds / size)}${unit}${rest > 0 && nextUnit !== '' ? `${rest}${nextUnit}` : ''}`
}
