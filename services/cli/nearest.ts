/** Edits (one letter more, less, or another) that make one word of the other: Levenshtein, a row at a time. */
const distance = (one: string, other: string): number => {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index)
  for (const [index, letter] of [...one].entries()) {
    const next = [index + 1]
    for (const [column, candidate] of [...other].entries())
      next.push(
        Math.min(
          (next[column] as number) + 1,
          (row[column + 1] as number) + 1,
          (row[column] as number) + (letter === candidate ? 0 : 1),
        ),
      )
    row = next
  }
  return row.at(-1) as number
}

/** The word that was probably meant: one that differs in a third of its letters at most, or that goes on from it. */
export const nearest = (word: string, known: readonly string[]): string | undefined => {
  const small = word.toLowerCase()
  const rated = known
    .map((candidate) => ({ candidate, edits: distance(small, candidate.toLowerCase()) }))
    .sort((one, other) => one.edits - other.edits)
  const [best] = rated
  if (best !== undefined && best.edits <= Math.max(1, Math.floor(best.candidate.length / 3))) return best.candidate
  return known.find((candidate) => small.length > 2 && candidate.toLowerCase().startsWith(small))
}

/** The end of a message about a name that is not there: what was meant, or what there is. */
export const suggestion = (word: string, known: readonly string[], none: string): string => {
  const meant = nearest(word, known)
  if (meant !== undefined) return `; did you mean "${meant}"?`
  return known.length === 0 ? `; ${none}` : `; there is ${known.slice(0, 10).join(', ')}`
}
