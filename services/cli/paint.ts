/** Colours by what they mean here; the codes are those of ECMA-48. */
const CODES = { good: 32, bad: 31, odd: 33, faint: 90, strong: 1 } as const
/** For telling one source of lines from another; red and yellow are kept for levels. */
const TURNS = [36, 35, 34, 32, 96, 95, 94, 92]

export type Paint = { [meaning in keyof typeof CODES]: (text: string) => string } & {
  /** The colour of the nth source. */
  turn: (index: number, text: string) => string
}

const inside = (code: number, text: string): string => `\u001b[${code}m${text}\u001b[0m`

/** Paints text, or leaves it as it is where colours are not wanted. */
export const createPaint = (colour: boolean): Paint => {
  const as = (code: number) => (text: string) => (colour ? inside(code, text) : text)
  return {
    good: as(CODES.good),
    bad: as(CODES.bad),
    odd: as(CODES.odd),
    faint: as(CODES.faint),
    strong: as(CODES.strong),
    turn: (index, text) => (colour ? inside(TURNS[index % TURNS.length] as number, text) : text),
  }
}
