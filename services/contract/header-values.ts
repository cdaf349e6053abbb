/** A count or a time of a message's headers: a whole number of at least 0, which a double holds exactly. */
export const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

/**
 * A value as a sentence shows it, at most 20 characters. Whoever may publish chooses what a header holds: of a table
 * with a `toString` that is no function no text can be made at all.
 */
export const shownOf = (value: unknown): string =>
  typeof value === 'object' && value !== null ? 'a table' : String(value).slice(0, 20)
