import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CommandModule } from 'yargs'
import type { Act, World } from './commands.ts'
import { EXIT, Failure } from './failure.ts'
import { suggestion } from './nearest.ts'
import { type ConditionText, type Runbook, runbooksOf, toConditionTexts, toRunbook } from './runbook.ts'
import { toTable } from './table.ts'

export type Book = { runbooks: Runbook[]; conditions: ConditionText[] }

/** Reads every page of a folder. */
export const readBook = (folder: string): Book => {
  const read = (file: string): string => readFileSync(join(folder, file), 'utf8')
  return {
    runbooks: readdirSync(folder)
      .filter((file) => file.endsWith('.md') && file !== 'README.md')
      .sort()
      .map((file) => toRunbook(file.slice(0, -'.md'.length), read(file))),
    conditions: toConditionTexts(read('README.md')),
  }
}

export const RUNBOOKS = join(import.meta.dirname, '../../docs/runbooks')

const listing = (runbooks: readonly Runbook[]): string =>
  toTable(
    ['REASON', 'SHOWN BY', 'MEANING'],
    runbooks.map(({ word, shownBy, summary }) => [word, shownBy.join(', '), summary]),
  )

/**
 * The help on a word: a reason's page, or what a condition means and every reason that it may have; all of them without
 * a word. @throws Failure notFound, with the word that was probably meant
 */
export const explanationOf = (word: string | undefined, { runbooks, conditions }: Book): string => {
  if (word === undefined)
    return `${toTable(
      ['CONDITION', 'MEANING'],
      conditions.map(({ type, meaning }) => [type, meaning]),
    )}\n\n${listing(runbooks)}`
  const same = (name: string): boolean => name.toLowerCase() === word.toLowerCase()
  const page = runbooks.find((runbook) => same(runbook.word))
  const condition = conditions.find(({ type }) => same(type))
  if (page === undefined && condition === undefined) {
    const known = [...runbooks.map((runbook) => runbook.word), ...conditions.map(({ type }) => type)]
    throw new Failure(EXIT.notFound, `"${word}" is no condition and no reason${suggestion(word, known, '')}`)
  }
  return [
    ...(condition === undefined
      ? []
      : [`${condition.type}: ${condition.meaning}\n\n${listing(runbooksOf(condition.type, runbooks))}`]),
    ...(page === undefined ? [] : [page.text]),
  ].join('\n\n')
}

const explain = (world: World, word: string | undefined): number => {
  world.out(explanationOf(word, readBook(RUNBOOKS)))
  return EXIT.ok
}

export const explainCommand = (act: Act): CommandModule<object, { word: string | undefined }> => ({
  command: 'explain [word]',
  describe: 'what a condition or a reason means, and what to do; all of them without a word',
  builder: (y) => y.positional('word', { type: 'string' }) as never,
  handler: act((world, { word }) => explain(world, word)),
})
