import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { SCALING_REASONS, TRIGGER_PROBLEMS } from '#contract/scaling/reasons.ts'
import { explanationOf, RUNBOOKS, readBook } from './explain-command.ts'
import { EXIT } from './failure.ts'
import { flawsOf, toRunbook } from './runbook.ts'

/**
 * Words that the operator's sources hold where a reason could stand, and that are none. A new word either gets a page,
 * docs/runbooks/WORD.md, or stands here.
 */
const NO_REASONS = [
  'True',
  'False',
  'Unknown',
  'Normal',
  'Warning',
  'Ingress',
  'IfNotPresent',
  'Changed',
  'Drifted',
  'Active',
]

/** A capitalised literal, and the word and the sign before it. */
const LITERAL = /((?:\w+\s+)?\S*\s*)'([A-Z][A-Za-z]*[a-z][A-Za-z]*)'/g

/** True of the value of a field that is not `reason`, of an error's name, and of the right side of a comparison. */
const standsElsewhere = (before: string): boolean =>
  (/[\w"']\??:\s*$/.test(before) && !/reason\??:\s*$/i.test(before)) || /(\bname =|[!=]==)\s*$/.test(before)

const wordsIn = (text: string): string[] =>
  [...text.replaceAll(/^\s*(\/\/|\*|\/\*\*).*$/gm, '').matchAll(LITERAL)]
    .filter(([, before = '']) => !standsElsewhere(before))
    .map(([, , word]) => word as string)

const sources = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', 'operator', 'charts'], {
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => /^operator\/(decide\/|[^/]*$)/.test(file) && file.endsWith('.ts') && !file.endsWith('.test.ts'))
const operator = sources.map((file) => readFileSync(file, 'utf8'))
const words = new Set([...operator.flatMap(wordsIn), ...Object.keys(SCALING_REASONS), ...TRIGGER_PROBLEMS])

const book = readBook(RUNBOOKS)
const types = book.conditions.map(({ type }) => type)
const pages = book.runbooks.map(({ word }) => word)

it('every reason that the operator can give has a page', () => {
  expect([...words].filter((word) => ![...pages, ...types, ...NO_REASONS].includes(word)).sort()).toEqual([])
})

it.each([
  ['an array', "return ['QueueTaken', text]"],
  ['a field', "{ reason: 'QueueTaken' }"],
  ['a choice', "busy ? 'QueueTaken' : other"],
  ['the other choice', "busy\n  ? other\n  : 'QueueTaken'"],
  ['a type', "type Reason =\n  | 'QueueTaken'"],
  ['an argument', "decide(\n  1,\n  'QueueTaken')"],
])('a reason is found in %s', (_, source) => expect(wordsIn(source)).toEqual(['QueueTaken']))

it.each([
  ['a kind', "{ kind: 'Deployment' }"],
  ['a comparison', "reason === 'QueueTaken'"],
  ["an error's name", "override name = 'SecretProblem'"],
  ['a comment', "// as in 'QueueTaken'"],
])('but not in %s', (_, source) => expect(wordsIn(source)).toEqual([]))

it('every page is of a reason that the operator can give', () =>
  expect(pages.filter((word) => !words.has(word))).toEqual([]))

describe.each(book.runbooks)('the page of $word', (runbook) => {
  it('has the form of all', () => expect(flawsOf(runbook)).toEqual([]))
  it('names conditions that there are', () =>
    expect(runbook.shownBy.filter((place) => !['Event', ...types].includes(place.split('=')[0] ?? ''))).toEqual([]))
})

it('a page of another form is told what it lacks', () =>
  expect(flawsOf(toRunbook('QueueTaken', '# Queue\n\nno sentence\n\n## How to fix\n'))).toEqual([
    'expected "# QueueTaken" and an empty line first',
    'expected a sentence under the title',
    'expected a line "Shown by: `Condition=True`", or `Event`',
    'expected a section "What to check"',
  ]))

it('every condition has its meaning, and at least one reason', () =>
  expect(types.map((type) => explanationOf(type, book)).filter((text) => text.split('\n').length < 4)).toEqual([]))

it.each([
  ['a reason', 'QueueTaken', '# QueueTaken'],
  ['a reason in any case', 'queuetaken', '# QueueTaken'],
  ['a condition', 'Stalled', 'QueueTaken'],
  ['a word that is both, as one', 'Paused', 'An annotation of the pipeline holds'],
  ['and as the other', 'Paused', 'Paused: the operator leaves the pipeline alone'],
  ['nothing', undefined, 'REASON'],
])('explains %s', (_, word, text) => expect(explanationOf(word, book)).toContain(text))

it('an unknown word gets the one that was probably meant', () => {
  const explained = () => explanationOf('QueueTake', book)
  expect(explained).toThrow(
    expect.objectContaining({ exit: EXIT.notFound, message: expect.stringContaining('did you mean "QueueTaken"?') }),
  )
})
