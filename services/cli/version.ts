/** The numbers that a version begins with: v1.36.3-rc.1 is 1, 36, 3. */
const numbersOf = (version: string): number[] =>
  (/[0-9]+(\.[0-9]+)*/.exec(version)?.[0] ?? '').split('.').map((part) => Number(part || Number.NaN))

/** True when a version is the lowest that will do, or newer; one that cannot be read is not. */
export const isAtLeast = (version: string, lowest: string): boolean => {
  const [found, wanted] = [numbersOf(version), numbersOf(lowest)]
  for (const [index, number] of wanted.entries()) {
    const other = found[index] ?? 0
    if (other !== number) return other > number
  }
  return true
}
