/** One page of docs/runbooks: what a word that the operator says means, and what to do about it. */
export type Runbook = {
  word: string
  /** Its first paragraph. */
  summary: string
  /** Where it is seen: conditions such as `Ready=False`, or `Event`. */
  shownBy: string[]
  text: string
}

export type ConditionText = { type: string; meaning: string }

/** The sections that a page may have, in their order; the first is the one that every page has. */
export const SECTIONS = ['What to check', 'How to fix', 'When it is harmless'] as const

const SHOWN_BY = 'Shown by: '

/** Reads a page. @param word its name, without .md */
export const toRunbook = (word: string, text: string): Runbook => {
  const lines = text.split('\n')
  const start = lines.findIndex((line, index) => index > 0 && line !== '')
  const end = lines.indexOf('', start)
  const shown = lines.find((line) => line.startsWith(SHOWN_BY)) ?? ''
  return {
    word,
    summary: lines.slice(start, end).join(' '),
    shownBy: [...shown.matchAll(/`([^`]+)`/g)].map(([, place]) => place as string),
    text: text.trim(),
  }
}

/** What is wrong with a page's form; empty when nothing is. */
export const flawsOf = ({ word, summary, shownBy, text }: Runbook): string[] => {
  const sections = [...text.matchAll(/^## (.*)$/gm)].map(([, title]) => title as string)
  const order = SECTIONS.filter((section) => sections.includes(section))
  return [
    ...(text.startsWith(`# ${word}\n\n`) ? [] : [`expected "# ${word}" and an empty line first`]),
    ...(/^[A-Z].*\.$/.test(summary) ? [] : ['expected a sentence under the title']),
    ...(shownBy.length > 0 ? [] : [`expected a line "${SHOWN_BY}\`Condition=True\`", or \`Event\``]),
    ...(order.includes(SECTIONS[0]) ? [] : [`expected a section "${SECTIONS[0]}"`]),
    ...(order.join() === sections.join()
      ? []
      : [`expected the sections ${SECTIONS.join(', ')} in this order, once each`]),
  ]
}

/** The conditions and what they mean, out of the table of docs/runbooks/README.md. */
export const toConditionTexts = (text: string): ConditionText[] =>
  [...text.matchAll(/^\| `([A-Za-z]+)` \| (.*) \|$/gm)].map(([, type, meaning]) => ({
    type: type as string,
    meaning: meaning as string,
  }))

/** The pages that a condition may point to. */
export const runbooksOf = (type: string, runbooks: readonly Runbook[]): Runbook[] =>
  runbooks.filter(({ shownBy }) => shownBy.some((place) => place.split('=')[0] === type))
