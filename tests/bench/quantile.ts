/** The value that so large a part of the values is not above; 0 of none. @param sorted from the least on */
export const quantile = (sorted: ArrayLike<number>, part: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0
